"""Workers of builds that are broken on purpose: `python -m tests.chaos.broken NAME worker stock …`.

Chaos must find each of them out on the real parts, else it proves nothing. The simulation has more of them.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.runtime import transactions


class Unfenced(AIOKafkaProducer):
    """A producer whose transactional id is its own: nobody who takes over fences it."""

    def __init__(self, *, transactional_id: str, **options: Any) -> None:
        super().__init__(transactional_id=f"{transactional_id}-{os.getpid()}", **options)


class OffsetsApart(AIOKafkaProducer):
    """A producer that commits the offsets of a unit by themselves, once the next one is on its way."""

    def __init__(self, *, transactional_id: str, **options: Any) -> None:
        super().__init__(transactional_id=transactional_id, **options)
        self._apart = AIOKafkaProducer(transactional_id=f"{transactional_id}-offsets", **options)
        self._due: tuple[dict[Any, int], str] | None = None

    async def start(self) -> None:
        await super().start()
        await self._apart.start()

    async def stop(self) -> None:
        await super().stop()
        await self._apart.stop()

    async def send_offsets_to_transaction(self, offsets: dict[Any, int], group_id: str) -> None:
        due, self._due = self._due, (offsets, group_id)
        if due is not None:
            async with self._apart.transaction():
                await self._apart.send_offsets_to_transaction(*due)


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
