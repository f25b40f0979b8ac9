"""Who was asked to end ends, though a library forgot that it was asked."""

import asyncio
from contextlib import suppress

import pytest

from streams.cancellation import heed_cancellation


async def test_a_loop_ends_that_lost_its_cancellation_on_the_way() -> None:
    waiting = asyncio.Event()
    rounds = 0

    async def go_round() -> None:
        nonlocal rounds
        while True:
            heed_cancellation()
            rounds += 1
            waiting.set()
            with suppress(asyncio.CancelledError):  # as a library that forgets it
                await asyncio.sleep(60)

    task = asyncio.create_task(go_round())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rounds == 1


async def test_whoever_is_not_asked_goes_on() -> None:
    heed_cancellation()
