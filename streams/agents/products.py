"""What happens to a product of the point of sale."""

from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import products
from streams.runtime.worker import Worker
from topics.decoders import MESSAGES


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `pos.products`: which SKU each product has."""
    take = Intake("pos.products", MESSAGES["pos.products"], products.name, backlogs)

    @worker.app.agent(worker.topic("pos.products"), name="products")
    async def take_products(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)
