"""What happens to an operator's correction of a stock level."""

from typing import Any

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import corrections
from streams.runtime.worker import Worker
from topics.decoders import MESSAGES


def subscribe(worker: Worker, backlogs: Backlogs) -> None:
    """Subscribe the worker to `stock.corrections`: levels that an operator puts right."""
    take = Intake("stock.corrections", MESSAGES["stock.corrections"], corrections.correct, backlogs)

    @worker.app.agent(worker.topic("stock.corrections"), name="corrections")
    async def take_corrections(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, take)
