"""`pos.customers`: from the point of sale's customer to a `Profile` (DOMAIN 2)."""

import msgspec

from topics.decoders import record
from topics.decoders.lenient import Id, Mark, Text, Whole
from topics.ids import CustomerId
from topics.profiles import Profile


class WireProfile(msgspec.Struct, gc=False):
    """A customer profile; names and e-mail may be null. `name` is read where both names are absent."""

    id: Id = None
    email: Text = None
    first_name: Text = None
    last_name: Text = None
    name: Text = None
    created_at: Text = None
    deleted_at: Mark = None
    version: Whole = None


PROFILE = record.Shape(WireProfile)


def decode_profile(value: bytes | None) -> Profile:
    """Return the record's profile; ContractError when it has no id."""
    return record.read(value, PROFILE, _build)


def _build(raw: WireProfile, mended: tuple[str, ...]) -> Profile:
    first, last = record.plain(raw.first_name), record.plain(raw.last_name)
    return Profile(
        customer_id=CustomerId(record.required(raw.id, "id")),
        email=record.identifier(raw.email, "email", record.MAX_EMAIL),
        first_name=record.plain(raw.name) if first is None and last is None else first,
        last_name=last,
        created_at=record.moment(raw.created_at, "created_at"),
        deleted=record.is_set(raw.deleted_at),
        version=record.counted(raw.version),
        repaired=mended,
    )
