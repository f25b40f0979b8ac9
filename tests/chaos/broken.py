"""Workers of builds that are broken on purpose: `python -m tests.chaos.broken NAME worker stock …`.

Chaos must find each of them out on the real parts, else it proves nothing. The simulation has more of them.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.runtime import transactions

EVERY_S = 1.0


class Unfenced(AIOKafkaProducer):
    """A producer whose transactional id is its own: nobody who takes over fences it."""

    def __init__(self, *, transactional_id: str, **options: Any) -> None:
        super().__init__(transactional_id=f"{transactional_id}-{os.getpid()}", **options)


class OffsetsApart(AIOKafkaProducer):
    """A producer that commits the offsets by themselves, on a timer."""

    def __init__(self, *, transactional_id: str, **options: Any) -> None:
        super().__init__(transactional_id=transactional_id, **options)
        self._apart = AIOKafkaProducer(transactional_id=f"{transactional_id}-offsets", **options)
        self._due: dict[Any, int] = {}
        self._group = ""
        self._timer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await super().start()
        await self._apart.start()
        self._timer = asyncio.create_task(self._commit_now_and_then())

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._apart.stop()
        await super().stop()

    async def send_offsets_to_transaction(self, offsets: dict[Any, int], group_id: str) -> None:
        self._due |= offsets
        self._group = group_id

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            due, self._due = self._due, {}
            if due:
                async with self._apart.transaction():
                    await self._apart.send_offsets_to_transaction(due, self._group)


def no_fencing() -> None:
    transactions.AIOKafkaProducer = Unfenced


def offsets_apart() -> None:
    transactions.AIOKafkaProducer = OffsetsApart


BREAKAGES: Mapping[str, Callable[[], None]] = {
    "no-fencing": no_fencing,
    "offsets-outside-the-transaction": offsets_apart,
}


if __name__ == "__main__":
    BREAKAGES[sys.argv.pop(1)]()
    from streams.cli import main

    main()
