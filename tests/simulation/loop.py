"""An event loop whose clock jumps to what is due next: a minute passes in a moment, always the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, Protocol

EPOCH_S = 1_772_442_000.0
"""Unix time when a run begins: 2026-03-02 09:00 UTC."""


class Owner(Protocol):
    """Whose tasks they are: what is killed loses all of them."""

    tasks: dict[asyncio.Task[Any], None]


OWNER: ContextVar[Any] = ContextVar("owner", default=None)


class StuckError(AssertionError):
    """Everything waits, and nothing is due."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready, then sets the clock to what is due next. No sockets, threads or signals."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self
        self.set_task_factory(_owned_task)  # type: ignore[arg-type]  # what is passed on is Task's own

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Stand in for a selector: nothing ever comes from outside, so waiting is moving the clock."""
        if timeout is None:
            raise StuckError("every task waits for another")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def finish(self) -> None:
        """End what still runs, and close."""
        for _ in range(10):
            left = [task for task in asyncio.all_tasks(self) if not task.done()]
            if not left:
                break
            for task in sorted(left, key=lambda task: task.get_name()):
                task.cancel()
            self.run_until_complete(asyncio.wait(left, timeout=1000.0))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()


def _owned_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **settings: Any
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **settings)
    context = settings.get("context")
    owner = OWNER.get() if context is None else context.get(OWNER)
    if owner is not None:
        owner.tasks[task] = None
        task.add_done_callback(lambda ended: owner.tasks.pop(ended, None))
    return task
