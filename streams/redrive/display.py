"""One dead letter, whole: what Postgres knows of it, what the log has, and what to do."""

from typing import Any, NamedTuple

from storage.lookups.answer import Answer
from storage.lookups.dead_letters import Choice, DeadLetterListed, contents, list_dead_letters
from streams.redrive import contract
from streams.redrive.advice import advice
from streams.redrive.errors import RedriveError, RefusedError
from streams.redrive.marks import Header
from streams.redrive.originals import Gone, Original, Originals
from streams.redrive.preparing import UnavailableError, outright, record
from streams.runtime.errors import WorkerError
from streams.settings import Settings, SettingsError

_SHOWN_BYTES = 200


class HeaderShown(Answer, frozen=True, kw_only=True):
    """A header of the record; bytes that are no text are in hexadecimal, and long ones are cut."""

    name: str
    value: str


class Shown(Answer, frozen=True, kw_only=True):
    """A letter, and what there is of its record.

    `not_in_log` is why the log does not have it, None when it does; `read_now` what today's contract says of
    it. `head` and `traceback` only when asked for: they may hold names and addresses.
    """

    letter: DeadLetterListed
    not_in_log: str | None
    headers: list[HeaderShown]
    read_now: str | None
    advice: str
    head: str | None
    traceback: str | None


class Found(NamedTuple):
    """A letter, and its record's bytes (of a search answer: the part's), or why there are none."""

    shown: Shown
    value: bytes | None
    missing: str


async def display(connection: Any, settings: Settings, letter_id: str, *, with_payload: bool) -> Found:
    """Return all about a letter; RefusedError when there is none of that id.

    Without Kafka it is what Postgres has.
    """
    listed = await list_dead_letters(connection, Choice(ids=(letter_id,)))
    if not listed:
        raise RefusedError(
            f"There is no letter {letter_id}: `tillstream dlq list` lists them; old ones may have been pruned"
        )
    letter = listed[0]
    kept = (await contents(connection, [letter_id]))[letter_id]
    original = await _original(settings, letter)
    value: bytes | None = None
    missing = read_now = None
    try:
        value, _ = record(letter, original, kept.head)
    except UnavailableError as error:
        missing = str(error)
    else:
        if outright(letter) is None:
            fault = contract.fault(letter.topic, value, letter.record_time)
            read_now = f"refused again: {fault}" if fault else "understood"
    shown = Shown(
        letter=letter,
        not_in_log=original.why if isinstance(original, Gone) else None,
        headers=[_header(one) for one in original.headers] if isinstance(original, Original) else [],
        read_now=read_now,
        advice=advice(letter.reason),
        head=kept.head.decode(errors="replace") if with_payload else None,
        traceback=kept.traceback if with_payload else None,
    )
    return Found(shown, value, missing or "the record has no value")


async def _original(settings: Settings, letter: DeadLetterListed) -> Original | Gone:
    try:
        async with Originals(settings) as originals:
            return await originals.read(letter.topic, letter.partition, letter.offset)
    except (RedriveError, SettingsError, WorkerError) as error:
        return Gone(f"it could not be looked for: {error}")


def _header(header: Header) -> HeaderShown:
    name, value = header
    try:
        text = (value or b"").decode()
    except UnicodeDecodeError:
        text = value.hex()
    return HeaderShown(name=name, value=text if len(text) <= _SHOWN_BYTES else f"{text[:_SHOWN_BYTES]}…")
