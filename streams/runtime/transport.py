"""The Faust transport `microbatch://`: one message per fetched batch, no producer of Faust's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.transport.consumer import TransactionManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.runtime.consumer import BatchConsumer


class Takeover(TransactionManager):
    """What Faust calls its transaction manager: told of every assignment before recovery begins.

    It makes the partitions safe to own (`app.runtime.take_over`); committing is the lanes' business.
    """

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Units in flight have ended; producers stay until the next assignment says whose they are."""

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP]) -> None:
        """Fence earlier owners of the assigned partitions."""
        await self.app.runtime.take_over(assigned)

    async def commit(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """A unit commits itself; here is only the hint for lag tools, where a worker leaves one."""
        if self.app.runtime.commits_hints:
            return bool(await self.consumer._commit(offsets))
        return True

    async def flush(self) -> None:
        """Nothing is buffered outside the lanes."""

    async def create_topic(self, topic: str, partitions: int, replication: int, **options: Any) -> None:
        """Topics are made by `tillstream topics create`, never by a worker."""


class Transport(driver.Transport):
    """aiokafka's transport with our consumer."""

    Consumer = BatchConsumer
    TransactionManager = Takeover
