"""Keeps an installation alive: what dies is started again, as a supervisor would in production."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.stack import Stack, StackError
from deploy.local.step import step

LOOK_EVERY_S = 0.2
STOP_GRACE_S = 15.0
PAUSE_S = 1.0
"""At least so long from one start of a part to the next: one that cannot live yet shall not take all CPU."""
COMMAND = ("-m", "streams.cli")
"""What Python runs for a worker."""


class WorkerProcess:
    """One worker (`stock` or `history`) as a child process, its log in a file.

    `wanted` says that it is meant to run: it was started, and not stopped since. `ends` counts the exit codes
    of those that ended by themselves.
    """

    def __init__(self, kind: str, environment: Mapping[str, str], log: Path, slot: int = 0) -> None:
        self.kind = kind
        self.name = f"{kind}-{slot}" if slot else kind
        self.log = log
        self.ends: Counter[int] = Counter()
        self.wanted = False
        self._slot = slot
        self._environment = dict(environment)
        self._child: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def running(self) -> bool:
        return self.pid is not None

    @property
    def may_start(self) -> bool:
        """Whether it is not running, and its last start was not just now."""
        return not self.running and time.monotonic() - self._started >= PAUSE_S

    def start(self, command: Sequence[str] = COMMAND) -> None:
        """Start it; `command` is what Python runs instead of `tillstream`, with the same arguments."""
        arguments = ["worker", self.kind, "--slot", str(self._slot), "--exit-with-parent"]
        self.wanted = True
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [sys.executable, *command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,  # the terminal's Ctrl-C is for who started it, and stops it in order
            )
        self._started = time.monotonic()

    def start_again(self, command: Sequence[str] = COMMAND) -> None:
        """Start one that ended by itself."""
        if self._child is not None and (code := self._child.poll()) is not None:
            self.ends[code] += 1
        self.start(command)

    def signal(self, number: int) -> bool:
        """Send a signal; tell whether there was a process to receive it."""
        if (pid := self.pid) is None:
            return False
        os.kill(pid, number)
        return True

    async def kill(self) -> None:
        """End it with SIGKILL, in whatever it is doing."""
        if self._child is not None:
            self._child.kill()
            await asyncio.to_thread(self._child.wait)

    async def stop(self) -> None:
        """Ask it to finish its unit and leave; after the grace, kill it: fail-stop is safe."""
        self.wanted = False
        if self._child is None:
            return
        self.signal(signal.SIGCONT)  # one that is held in its tracks hears nothing else
        self._child.terminate()
        try:
            await asyncio.to_thread(self._child.wait, STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            await asyncio.to_thread(self._child.wait)


class Keeper:
    """Watches the stack and the workers.

    `restarts` counts what had to be started again, by part; `servers` are the stack's processes when it was
    last looked at. Parts in `held` are away on purpose and stay so. `command` is how workers are started.
    """

    def __init__(self, stack: Stack, workers: list[WorkerProcess], command: Sequence[str] = COMMAND) -> None:
        self.restarts: Counter[str] = Counter()
        self.servers: dict[str, int] = {}
        self.held: set[str] = set()
        self.command = command
        self._stack = stack
        self._workers = workers
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        for worker in self._workers:
            worker.start(self.command)
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
        workers = {worker.name: worker.pid for worker in self._workers}
        return self.servers | {name: pid for name, pid in workers.items() if pid is not None}

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
                if not part.running and part.name not in self.held:
                    self.restarts[part.name] += 1
                    await self._start_server(part.name)
            for worker in self._workers:
                if worker.may_start and worker.name not in self.held:
                    self.restarts[worker.name] += 1
                    worker.start_again(self.command)

    async def _start_server(self, name: str) -> None:
        part = self._stack.kafka if name == "kafka" else self._stack.postgres
        try:
            await step(part.start)
        except StackError:
            # It may have been killed again while it started: once more, and only then give up.
            await step(part.start)
