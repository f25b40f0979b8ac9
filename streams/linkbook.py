"""Store links as they stand in their topic: one document per store."""

from streams.committed import CommittedLog
from streams.payloads import Payload
from streams.provision import ProvisionError
from streams.publisher import publish
from streams.runtime.startup import partition_counts
from streams.settings import Settings, require_kafka
from topics.decoders import decode_link
from topics.ids import StoreId
from topics.keys import store_key
from topics.links import StoreLink
from topics.partitions import partition_of
from topics.registry import topic

LINKS = topic("store.links")


async def set_link(
    settings: Settings, store_id: StoreId, document: bytes | None, place: str = "link"
) -> None:
    """Publish a store's link, None to remove it; ContractError names the field that is wrong.

    `place` says where the document came from, for error texts.
    """
    if document is not None:
        decode_link(document)
    await publish(settings, LINKS, store_id, [Payload(document, place)], lambda _: None)


async def current_link(settings: Settings, store_id: StoreId) -> StoreLink | None:
    """Read the topic for the link that stands there last; None when there is none."""
    require_kafka(settings)
    name = LINKS.full_name(settings.worker.prefix)
    partitions = (await partition_counts([name], settings.kafka))[name]
    if not partitions:
        raise ProvisionError(f"Topic {name} is not there: `tillstream topics create` makes it.")
    key = store_key(store_id)
    found: bytes | None = None
    async with CommittedLog.open(settings.kafka) as log:
        spans = await log.ranges([(name, partition_of(key, partitions))])
        async for record in log.records(spans.values()):
            if record.key == key:
                found = record.value
    return None if found is None else decode_link(found)
