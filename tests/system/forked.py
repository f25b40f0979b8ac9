"""The command `tillstream` without the time that its imports take: forked from a process that has them.

Run as a module it is that process: it reads a request a line, forks, and answers with the exit code.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TextIO, cast

from tests.system.process import ROOT


class Ran(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


class Forked:
    """Runs commands one after the other, each in a process of its own."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tillstream-forked-")
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.system.forked"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        requests, answers = cast("TextIO", self._child.stdin), cast("TextIO", self._child.stdout)
        requests.close()
        self._child.wait()
        answers.close()
        self._folder.cleanup()

    def run(self, words: Sequence[str], environment: Mapping[str, str]) -> Ran:
        """Run `tillstream WORDS`; blocks until it has ended."""
        out, err = (Path(self._folder.name, name) for name in ("out", "err"))
        request = {
            "words": list(words),
            "environment": dict(environment),
            "out": str(out),
            "err": str(err),
        }
        requests, answers = cast("TextIO", self._child.stdin), cast("TextIO", self._child.stdout)
        print(json.dumps(request), file=requests, flush=True)
        answer = answers.readline()
        assert answer, "the process that commands are forked from has ended"
        return Ran(int(answer), out.read_text(errors="replace"), err.read_text(errors="replace"))


def _serve() -> None:
    import aiokafka  # noqa: F401
    import asyncpg  # noqa: F401
    import rich.console
    import rich.progress
    import rich.table  # noqa: F401

    import streams.cli
    import streams.provision
    import streams.rebuild.rebuild

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.clear()
            os.environ.update(request["environment"])
            for number, place in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
                opened = os.open(place, os.O_RDWR | (0 if number == 0 else os.O_CREAT | os.O_TRUNC), 0o600)
                os.dup2(opened, number)
                os.close(opened)
            sys.argv = ["tillstream", *request["words"]]
            code = 1
            try:
                streams.cli.main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:  # its traceback is what the test is to show
                sys.excepthook(*sys.exc_info())
            finally:
                with contextlib.suppress(OSError):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
