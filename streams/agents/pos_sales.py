"""What happens to a sale of the point of sale."""

from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import pos_sales
from streams.runtime.worker import Worker
from topics.decoders import MESSAGES


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `pos.sales`: acknowledgements of our sales, returns, voids."""
    take = Intake("pos.sales", MESSAGES["pos.sales"], pos_sales.take, backlogs)

    @worker.app.agent(worker.topic("pos.sales"), name="pos_sales")
    async def take_pos_sales(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)
