"""Dead letters: records that were refused, and what has been done about each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec

from storage import schema
from storage.lookups.answer import Answer
from storage.queries import query
from storage.schema import OPERATIONS

State = Literal[
    "new",  # nothing was done about it
    "sending",  # a redrive of it was broken off: the next one finds out whether it was sent
    "sent_again",  # its record was sent again, and was not refused so far
    "came_back",  # its record was sent again and refused again, with a letter of its own
    "discarded",  # set aside
]
STATES: tuple[State, ...] = get_args(State)

_find = query("dead_letters.find_letters")
_contents = query("dead_letters.letter_contents")


class DeadLetterListed(Answer, frozen=True, kw_only=True):
    """A dead letter without the record's bytes, which may hold names and addresses.

    `came_from` is the letter whose record, sent again, made this one; `came_back_as` are those that this
    one's record made. `sent_offset` is where it stands now, on its topic's `sent_partition`.
    """

    dead_letter_id: str
    found_by: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    part: int | None
    store_id: str | None
    order_id: str | None
    record_time: datetime
    processed_at: datetime
    length: int
    sha256: str
    complete: bool
    state: State
    came_from: str | None
    came_back_as: list[str]
    redrive_id: str | None
    origin: str | None
    sent_partition: int | None
    sent_offset: int | None
    redriven_at: datetime | None
    redriven_by: str | None
    redriven_why: str | None
    discarded_at: datetime | None
    discarded_by: str | None
    discarded_why: str | None

    @property
    def source(self) -> str:
        """Where the record stands in the log."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters: those for which all of this holds; what is empty asks for nothing.

    `since` and `until` are about when they were refused. `also_of_no_store`: a letter whose store is not
    known counts as one of `store_id`.
    """

    ids: tuple[str, ...] = ()
    store_id: str | None = None
    reasons: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    states: tuple[State, ...] = ()
    also_of_no_store: bool = False


class Contents(msgspec.Struct, frozen=True):
    """What a letter has of its record's bytes, and where in the program it failed."""

    head: bytes
    traceback: str | None


async def list_dead_letters(
    connection: Any, choice: Choice | None = None, *, limit: int | None = 50
) -> Sequence[DeadLetterListed]:
    """Return dead letters, the last refused first; without `limit` all that are chosen."""
    await schema.check(connection, OPERATIONS)
    choice = choice or Choice()
    rows = await connection.fetch(
        _find,
        choice.ids or None,
        choice.store_id,
        choice.reasons or None,
        choice.topics or None,
        choice.since,
        choice.until,
        choice.states or None,
        limit,
        choice.also_of_no_store,
    )
    names = DeadLetterListed.__struct_fields__
    return [DeadLetterListed(**dict(zip(names, row, strict=True))) for row in rows]


async def contents(connection: Any, ids: Sequence[str]) -> dict[str, Contents]:
    """Return the contents of letters by their ids; a letter that is not there is left out."""
    rows = await connection.fetch(_contents, list(ids))
    return {row[0]: Contents(row[1], row[2]) for row in rows}
