"""What happens to a customer profile of the point of sale."""

from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import profiles
from streams.runtime.worker import Worker
from topics.decoders import MESSAGES


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `pos.customers`: profiles and their e-mail addresses."""
    take = Intake("pos.customers", MESSAGES["pos.customers"], profiles.learn, backlogs)

    @worker.app.agent(worker.topic("pos.customers"), name="profiles")
    async def take_profiles(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)
