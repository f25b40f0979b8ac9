"""A played process: it can be killed, stopped and go on, and whatever it asks of others can get lost."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

from tests.simulation.loop import OWNER
from tests.simulation.trace import Trace

T = TypeVar("T")

HOP_S = 0.004
"""So long at most is a request on its way, and so long its answer."""
ANSWER_S = 1.0
"""So long a client waits for an answer that does not come."""

Lost = Callable[[], Exception]


class GoneError(BaseException):
    """The process that would do this has been killed."""


class Armed:
    """A fault that waits for a request: what happens (`kill`, `pause`, `lose`), and before or after it."""

    __slots__ = ("act", "after", "request", "skip")

    def __init__(self, request: str, act: Callable[[], None] | None, *, after: bool, skip: int) -> None:
        self.request = request
        self.act = act
        self.after = after
        self.skip = skip


class Process:
    """One process from its start to its end."""

    def __init__(
        self, name: str, loop: asyncio.AbstractEventLoop, random: Random, trace: Trace, armed: list[Armed]
    ) -> None:
        self.name = name
        self.loop = loop
        self.alive = True
        self.paused = False
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self._random = random
        self._trace = trace
        self._armed = armed
        self._resumed: asyncio.Future[None] | None = None
        self._on_way: dict[asyncio.TimerHandle, None] = {}
        self._context = contextvars.copy_context()
        self._context.run(OWNER.set, self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a task of the process."""
        return self.loop.create_task(work, context=self._context)

    def run(self, build: Callable[[], T]) -> T:
        """Call as the process."""
        return self._context.copy().run(build)

    def kill(self) -> None:
        """End at once (`kill -9`); requests on their way arrive, or do not."""
        self.alive = False
        for handle in self._on_way:
            if self._random.random() < 0.5:
                handle.cancel()
        for task in list(self.tasks):
            task.cancel()

    def pause(self) -> None:
        self.paused = True
        if self._resumed is None:
            self._resumed = self.loop.create_future()

    def resume(self) -> None:
        self.paused = False
        if self._resumed is not None:
            self._resumed.set_result(None)
            self._resumed = None

    async def awake(self) -> None:
        """Wait while the process is stopped."""
        while self.paused and self._resumed is not None:
            await asyncio.shield(self._resumed)
        if not self.alive:
            raise GoneError(self.name)

    async def call(self, request: str, apply: Callable[[], Any], lost: Lost, what: Any = "") -> Any:
        """Ask something of another party: `apply` is done there, at once or when its future is done.

        Raises what `apply` raises, or `lost()` when the request or its answer got lost.
        """
        await self.awake()
        armed = self._due(request)
        self._trace.note(self.name, request, what)
        if armed is not None and not armed.after:
            if armed.act is None:
                return await self._no_answer(request, lost)
            armed.act()
            await self.awake()
        answer: asyncio.Future[Any] = self.loop.create_future()

        def arrive() -> None:
            self._on_way.pop(handle, None)
            try:
                result = apply()
            except Exception as error:
                self.loop.call_later(self._hop(), _fail, answer, error)
                return
            if isinstance(result, asyncio.Future):
                result.add_done_callback(came)
            else:
                self.loop.call_later(self._hop(), _succeed, answer, result)

        def came(future: asyncio.Future[Any]) -> None:
            if future.cancelled():
                answer.cancel()
            elif (error := future.exception()) is not None:
                _fail(answer, error)
            else:
                self.loop.call_later(self._hop(), _succeed, answer, future.result())

        handle = self.loop.call_later(self._hop(), arrive)
        self._on_way[handle] = None
        if armed is not None:
            # It has been done there; of the answer nothing is known here.
            await asyncio.wait({answer})
            if not answer.cancelled():
                answer.exception()
            if armed.act is None:
                return await self._no_answer(request, lost)
            armed.act()
            await self.awake()
        result = await answer
        await self.awake()
        return result

    def _due(self, request: str) -> Armed | None:
        for armed in self._armed:
            if armed.request == request:
                if armed.skip:
                    armed.skip -= 1
                    return None
                self._armed.remove(armed)
                return armed
        return None

    async def _no_answer(self, request: str, lost: Lost) -> Any:
        self._trace.note(self.name, "no answer", request)
        await asyncio.sleep(ANSWER_S)
        await self.awake()
        raise lost()

    def _hop(self) -> float:
        return self._random.random() * HOP_S


def _succeed(answer: asyncio.Future[Any], result: Any) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # whoever waits for it sees it; nobody may
