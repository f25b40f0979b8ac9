"""What happens to a stock count of the point of sale."""

from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import inventory
from streams.runtime.worker import Worker
from topics.decoders import MESSAGES


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `pos.inventory`: absolute levels per product and outlet."""
    take = Intake("pos.inventory", MESSAGES["pos.inventory"], inventory.count, backlogs)

    @worker.app.agent(worker.topic("pos.inventory"), name="inventory")
    async def take_inventory(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)
