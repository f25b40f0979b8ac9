"""Keeps the parts of a demo alive: whatever dies is started again, as a supervisor would in production."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from deploy.local.stack import Stack, StackError

LOOK_EVERY_S = 0.2
STOP_GRACE_S = 15.0


class WorkerProcess:
    """One worker (`stock` or `history`) as a child process, its log in a file.

    `wanted` says that it is meant to run: it was started, and not stopped since.
    """

    def __init__(self, kind: str, environment: Mapping[str, str], log: Path) -> None:
        self.kind = kind
        self.wanted = False
        self._environment = dict(environment)
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def running(self) -> bool:
        return self.pid is not None

    def start(self) -> None:
        self.wanted = True
        with self._log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [sys.executable, "-m", "streams.cli", "worker", self.kind, "--exit-with-parent"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,  # the terminal's Ctrl-C is for the demo, which stops it in order
            )

    async def stop(self) -> None:
        """Ask it to finish its unit and leave; after the grace, kill it: fail-stop is safe."""
        self.wanted = False
        if self._child is None:
            return
        self._child.terminate()
        try:
            await asyncio.to_thread(self._child.wait, STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            await asyncio.to_thread(self._child.wait)


class Keeper:
    """Watches the stack and the workers.

    `restarts` counts what had to be started again, by part; `servers` are the stack's processes when it was
    last looked at.
    """

    def __init__(self, stack: Stack, workers: list[WorkerProcess]) -> None:
        self.restarts: Counter[str] = Counter()
        self.servers: dict[str, int] = {}
        self._stack = stack
        self._workers = workers
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        for worker in self._workers:
            worker.start()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop watching, then the workers; the stack is its owner's."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    @property
    def processes(self) -> dict[str, int]:
        """The process of each part that runs."""
        workers = {worker.kind: worker.pid for worker in self._workers}
        return self.servers | {kind: pid for kind, pid in workers.items() if pid is not None}

    def check(self) -> None:
        """Raise what ended the watch, if anything did."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            status = await asyncio.to_thread(self._stack.status)
            self.servers = {part.name: part.pid for part in status.parts if part.pid is not None}
            for part in status.parts:
                if not part.running:
                    self.restarts[part.name] += 1
                    await self._start_server(part.name)
            for worker in self._workers:
                if not worker.running:
                    self.restarts[worker.kind] += 1
                    worker.start()

    async def _start_server(self, name: str) -> None:
        part = self._stack.kafka if name == "kafka" else self._stack.postgres
        try:
            await asyncio.to_thread(part.start)
        except StackError:
            # It may have been killed again while it started: once more, and only then give up.
            await asyncio.to_thread(part.start)
