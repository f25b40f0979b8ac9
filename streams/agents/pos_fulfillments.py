"""What happens to a fulfilment of the point of sale."""

from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import pos_fulfillments
from streams.runtime.worker import Worker
from topics.decoders import MESSAGES


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `pos.fulfillments`: what the shop has picked, packed and handed over."""
    take = Intake("pos.fulfillments", MESSAGES["pos.fulfillments"], pos_fulfillments.take, backlogs)

    @worker.app.agent(worker.topic("pos.fulfillments"), name="pos_fulfillments")
    async def take_pos_fulfillments(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)
