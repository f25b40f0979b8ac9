"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE_S = 90.0
"""A condition that is not met by then never will be; long, for the machine may be busy with other things."""
LOOK_EVERY_S = 0.03

Condition = Callable[[], Awaitable[bool]] | Callable[[], bool]


async def until(what: str, met: Condition, patience_s: float = PATIENCE_S) -> None:
    """Wait until a condition is met; AssertionError with its name when the patience ends first."""
    deadline = time.monotonic() + patience_s
    while True:
        answer = met()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain until {what}"
        await asyncio.sleep(LOOK_EVERY_S)
