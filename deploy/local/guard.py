"""Ends an attached stack when the process it belongs to ends, however that happens.

A process of its own waits for the end of a pipe that only the owner holds open: the system closes it when
the owner exits, crashes or is killed, on Linux and macOS alike, and whichever of its threads started it.
Run as `python -m deploy.local.guard DATA_DIR [--remove]`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

_ROOT = Path(__file__).resolve().parents[2]
_RELEASE_TIMEOUT_S = 60.0


class Guard:
    """The owner's end of the pipe."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def watch(cls, data_dir: Path, *, remove: bool) -> Self:
        """Start the guard of a data directory; with `remove` it also removes the directory at the end."""
        command = [sys.executable, "-m", "deploy.local.guard", str(data_dir)]
        if remove:
            command.append("--remove")
        path = os.pathsep.join(part for part in (str(_ROOT), os.environ.get("PYTHONPATH", "")) if part)
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # the terminal's Ctrl-C is for the owner
        )
        return cls(process)

    def release(self) -> None:
        """Tell the guard that the owner is done, and wait until it has tidied up."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_RELEASE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(arguments: list[str]) -> None:
    """Wait for the owner's end, then stop the stack."""
    # Imported here, for the stack module imports this one.
    from deploy.local.stack import Stack  # noqa: PLC0415

    data_dir = Path(arguments[0])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it has one task and ends with it
    while os.read(sys.stdin.fileno(), 1):
        pass
    Stack(data_dir).down()
    if "--remove" in arguments[1:]:
        shutil.rmtree(data_dir, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
