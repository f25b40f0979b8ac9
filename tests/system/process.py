"""A worker as its users run it: the command, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.system.waiting import until

ROOT = Path(__file__).parents[2]
SHOWN_LOG_CHARS = 4_000
OWNS = "owns partitions ["


class WorkerProcess:
    """`tillstream worker KIND --slot N`; `starts` counts how often it was started, its log goes to a file.

    `wanted` says that it is meant to run: false once it was killed or stopped on purpose.
    """

    def __init__(self, kind: str, slot: int, environment: Mapping[str, str], log: Path) -> None:
        self.kind = kind
        self.slot = slot
        self.log = log
        self.wanted = False
        self.starts = 0
        self._environment = dict(environment)
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "streams.cli", "worker", self.kind, "--slot", str(self.slot)]
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                [*command, "--exit-with-parent", "--log-format", "text"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.wanted = True
        self.starts += 1

    def kill(self) -> None:
        """End it with SIGKILL, in whatever it is doing."""
        self.wanted = False
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    async def stop(self) -> int:
        """Ask it to end, as a supervisor does, and wait; return its exit code."""
        self.wanted = False
        self.signal(signal.SIGTERM)
        return await self.ended()

    def signal(self, number: int) -> None:
        assert self._child is not None, "it was not started"
        os.kill(self._child.pid, number)

    async def ended(self) -> int:
        """Wait for its end; return its exit code."""
        await until(f"the {self.kind} worker of slot {self.slot} ends", lambda: self.code is not None)
        assert self.code is not None
        return self.code

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs or was not started."""
        return self._child.poll() if self._child is not None else None

    @property
    def text(self) -> str:
        """Its log, over all its starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def assignments(self) -> list[str]:
        """The partitions that it was given, each time that it was, over all its starts."""
        lines = self.text.splitlines()
        return [line.partition(OWNS)[2].partition("]")[0] for line in lines if OWNS in line]

    def __str__(self) -> str:
        return (
            f"{self.kind} worker of slot {self.slot}, exit code {self.code}; its log ends with"
            f"\n{self.text[-SHOWN_LOG_CHARS:]}"
        )
