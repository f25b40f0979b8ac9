"""Keeps a stack up in the foreground: a server that dies is started again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.local import state
from deploy.local.errors import StackError
from deploy.local.process import wait_over
from deploy.local.progress import Reporter
from deploy.local.stack import Endpoints, Stack

_LOOK_EVERY_S = 0.5
_TICK_S = 0.1
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_SETTLED_S = 60.0  # up for so long: the next death counts as a first one again
_END_TIMEOUT_S = 60.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_START_TIME_SLACK_S = 2.0


def _record(data_dir: Path) -> Path:
    return data_dir / "run" / "supervisor.json"


class Supervisor:
    """Runs a stack attached to this process until a signal comes."""

    def __init__(self, stack: Stack, reporter: Reporter) -> None:
        self._stack = stack
        self._reporter = reporter
        self._ending = False

    @contextmanager
    def running(self) -> Iterator[Endpoints]:
        """Start the stack, and stop it when the block ends. Signals are handled from here on."""
        before = {number: signal.signal(number, self._end) for number in _SIGNALS}
        record = _record(self._stack.data_dir)
        try:
            endpoints = self._stack.up(attached=True, progress=self._reporter)
            me = psutil.Process()
            state.save(record, state.ServerState(me.pid, me.create_time(), {}))
            yield endpoints
        finally:
            record.unlink(missing_ok=True)
            self._stack.down()
            for number, handler in before.items():
                signal.signal(number, handler)

    def watch(self) -> None:
        """Restart servers that die, until SIGINT, SIGTERM or SIGHUP."""
        pause, healthy_since = _FIRST_PAUSE_S, time.monotonic()
        while self._pause(_LOOK_EVERY_S):
            dead = [part for part in (self._stack.kafka, self._stack.postgres) if part.server is None]
            if not dead:
                if time.monotonic() - healthy_since > _SETTLED_S:
                    pause = _FIRST_PAUSE_S
                continue
            for part in dead:
                self._reporter.say(
                    f"{part.name} died; starting it again in {pause:.0f} s (its log: {part.log})"
                )
            if not self._pause(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            try:
                self._stack.up(progress=self._reporter)
            except StackError as error:
                self._reporter.say(str(error))
            else:
                self._reporter.say("up again: " + ", ".join(part.name for part in dead))
            healthy_since = time.monotonic()

    def _end(self, *_: object) -> None:
        # No more than this: a handler that takes a lock can meet the very code that holds it.
        self._ending = True

    def _pause(self, seconds: float) -> bool:
        """Wait so long, or less when the end is asked for; tell whether to go on."""
        deadline = time.monotonic() + seconds
        while not self._ending and time.monotonic() < deadline:
            time.sleep(_TICK_S)
        return not self._ending


def end_supervisor(data_dir: Path) -> bool:
    """Ask the supervisor of a data directory to end, and wait for it; False when there is none.

    Raises:
        StackError: it does not end.
    """
    saved = state.load(_record(data_dir))
    if saved is None or saved.pid == os.getpid():
        return False
    try:
        process = psutil.Process(saved.pid)
        if abs(process.create_time() - saved.started) > _START_TIME_SLACK_S:
            return False  # another process has its pid by now
        process.terminate()
    except psutil.NoSuchProcess:
        return False
    if wait_over([process], _END_TIMEOUT_S):
        raise StackError(
            f"the foreground `tillstream up` of {data_dir} (process {saved.pid}) does not end; end it by hand"
        )
    return True
