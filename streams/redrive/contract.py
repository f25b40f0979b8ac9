"""What today's contract says of a record, before it is sent again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from topics.decoders import MESSAGES
from topics.errors import ContractError
from topics.inventory import InventoryLevel
from topics.products import Product
from topics.profiles import Profile


def messages(topic: str, value: bytes | None, record_time: datetime) -> Sequence[Any]:
    """Return what the worker would read from the record; a part that it would refuse is its ContractError."""
    try:
        return MESSAGES[topic](value, record_time)
    except ContractError as error:
        return (error,)


def fault(topic: str, value: bytes | None, record_time: datetime) -> str | None:
    """Return why the record would be refused, None when it can be read."""
    refused = [one for one in messages(topic, value, record_time) if isinstance(one, ContractError)]
    return f"{refused[0].reason}: {refused[0].detail}" if refused else None


def caution(topic: str, value: bytes | None, record_time: datetime) -> str | None:
    """Return what a record might undo that comes late, None when its version sees to it that it does not."""
    unversioned = any(
        isinstance(one, InventoryLevel | Product | Profile) and one.version is None
        for one in messages(topic, value, record_time)
    )
    return "it has no version, so it counts as the latest, whatever came since" if unversioned else None
