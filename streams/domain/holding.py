"""A message kept to be decided later, as of when it came."""

from datetime import datetime

import msgspec

from streams.domain.books import Moment
from streams.domain.state import Held
from topics import codec
from topics.event import Source


def held_from(moment: Moment, message: msgspec.Struct) -> Held:
    """Return the message to be kept, with the coordinates and the time of its record."""
    source = moment.source
    body = msgspec.Raw(codec.encode(message))
    return Held(
        source.topic, source.partition, source.offset, moment.received_at, body, moment.checksum, moment.part
    )


def moment_of(held: Held, processed_at: datetime) -> Moment:
    """Return the moment as of which a kept message is decided."""
    source = Source(topic=held.topic, partition=held.partition, offset=held.offset)
    return Moment(source, held.received_at, processed_at, held.checksum, held.part)
