"""What happens to a store's link."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import links
from streams.runtime.worker import Worker
from topics.decoders import decode_link
from topics.links import StoreLink


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `store.links`: how each store is joined to its point of sale."""
    take = Intake("store.links", _decode, links.set_link, backlogs, needs_link=False)

    @worker.app.agent(worker.topic("store.links"), name="links")
    async def take_links(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)


def _decode(value: bytes | None, _: datetime) -> Sequence[StoreLink | None]:
    """Decode a link; a record without a value removes it."""
    return (None if value is None else decode_link(value),)
