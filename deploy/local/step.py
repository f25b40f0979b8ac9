"""Blocking steps, such as a server's start, from within an event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def step(work: Callable[[], T]) -> T:
    """Do it in a thread. When cancelled, let it end first: half a step could not be taken back."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)  # whoever cancelled does not ask how it went
        raise
