"""What a redrive that was broken off had sent: found on the topics by the marks."""

from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from storage.operations.dead_letters import Open
from storage.progress import Span
from streams.committed import CommittedLog
from streams.redrive.marks import redrive_of
from streams.redrive.originals import unreachable
from streams.settings import Settings


async def look(
    settings: Settings, sendings: Sequence[Open], progress: Callable[[int], None]
) -> dict[str, int | None]:
    """Return the offset of each sending's record (None: it was not sent); what cannot be known is left out.

    Whoever began them must be fenced before. The log is read from where they began; `progress` is called with
    the number of records. A sending whose place retention has removed cannot be known.
    """
    if not sendings:
        return {}
    # Not where readers are let to: what a transaction that is still open has sent counts, too.
    ends: Any = AIOKafkaConsumer(**settings.kafka.client_options(), client_id="tillstream-redrive")
    known: dict[str, int | None] = {}
    try:
        await ends.start()
        async with CommittedLog.open(settings.kafka, client_id="tillstream-redrive") as log:
            for topic, partition in sorted({(one.topic, one.partition) for one in sendings}):
                due = [one for one in sendings if (one.topic, one.partition) == (topic, partition)]
                tp = TopicPartition(settings.worker.topic(topic), partition)
                begin = (await ends.beginning_offsets([tp]))[tp]
                end = (await ends.end_offsets([tp]))[tp]
                due = [one for one in due if begin <= one.after_offset <= end]
                if due:
                    span = Span(tp.topic, partition, min(one.after_offset for one in due), end)
                    known |= await _scan(log, span, due, progress)
    except KafkaError as error:
        raise unreachable(settings, error) from error
    finally:
        await ends.stop()
    return known


async def _scan(
    log: CommittedLog, span: Span, due: Sequence[Open], progress: Callable[[int], None]
) -> dict[str, int | None]:
    known: dict[str, int | None] = {one.redrive_id: None for one in due}
    async for pieces in log.read([span]):
        for piece in pieces:
            for record in piece.records:
                redrive_id = redrive_of(record.headers)
                if redrive_id in known:
                    known[redrive_id] = record.offset
            progress(piece.offsets)
        if None not in known.values():
            break
    return known
