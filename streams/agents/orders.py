"""What happens to an online order: decoded, decided, and its effects handed to the unit of work."""

from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import orders
from streams.runtime.worker import Worker
from topics.decoders import MESSAGES


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `ecom.orders`: order snapshots, alone or as the answer of a search."""
    take = Intake("ecom.orders", MESSAGES["ecom.orders"], orders.take, backlogs)

    @worker.app.agent(worker.topic("ecom.orders"), name="orders")
    async def take_orders(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)
