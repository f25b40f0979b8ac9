"""What happens to a store's link."""

from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import links
from streams.runtime.worker import Worker
from topics.decoders import MESSAGES


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `store.links`: how each store is joined to its point of sale."""
    take = Intake("store.links", MESSAGES["store.links"], links.set_link, backlogs, needs_link=False)

    @worker.app.agent(worker.topic("store.links"), name="links")
    async def take_links(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)
