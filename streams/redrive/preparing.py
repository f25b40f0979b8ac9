"""From a dead letter to the record that is sent again for it, or the reason why none is."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from storage.lookups.dead_letters import DeadLetterListed
from storage.operations.dead_letters import Origin
from streams.redrive import contract
from streams.redrive.envelope import elements
from streams.redrive.marks import Header
from streams.redrive.originals import Gone, Original
from topics import codec, moments
from topics.errors import ContractError
from topics.ids import StoreId
from topics.keys import decode_key, store_key
from topics.registry import BY_NAME, INPUT_BYTES

_MARK_BYTES = 512
"""Room for the mark and the record's own frame."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A record to be sent again.

    `fault` is why today's contract would refuse it, None when it would not; `caution` what it might undo.
    """

    letter: DeadLetterListed
    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[Header, ...]
    timestamp: int
    origin: Origin
    fault: str | None
    caution: str | None

    @property
    def sha256(self) -> str:
        return sha256(self.value or b"").hexdigest()


class Refused(msgspec.Struct, frozen=True):
    """A letter whose record is not sent again: a sentence that says why, and what to do."""

    letter: DeadLetterListed
    why: str


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator gives: whose a record without a usable key is, and a record in the letter's place."""

    store_id: str | None = None
    replacement: bytes | None = None


class UnavailableError(Exception):
    """There is nothing to send for a letter; the text is a sentence that says why, and what to do."""


def outright(letter: DeadLetterListed) -> str | None:
    """Return why a letter's record is not sent again, whatever the log still has of it."""
    if letter.found_by == "history":
        return (
            "it is an event of ours that could not become rows, and only the stock worker writes those:"
            " correct the cause, then replay the history (`tillstream replay plan --help`)"
        )
    known = BY_NAME.get(letter.topic)
    if known is None or known.direction != "in":
        return f"{letter.topic} is no inbound topic of this version"
    if letter.state == "discarded":
        return f"it is discarded: `tillstream dlq restore {letter.dead_letter_id}` first"
    return None


def already(letter: DeadLetterListed) -> str | None:
    """Return where the record of a letter stands that was sent again, None if it was not."""
    if letter.state not in ("sent_again", "came_back"):
        return None
    came = f"; it came back as {', '.join(letter.came_back_as)}" if letter.came_back_as else ""
    return f"{letter.topic}/{letter.sent_partition} offset {letter.sent_offset}{came}"


def prepare(
    letter: DeadLetterListed, found: Original | Gone, head: bytes | None, given: Given
) -> Outgoing | Refused:
    """Make the record to be sent for a letter.

    `found` is what the log has at its coordinates, `head` the letter's own bytes; they are asked in this
    order.
    """
    if (why := outright(letter)) is not None:
        return Refused(letter, why)
    original = found if isinstance(found, Original) and is_of(letter, found) else None
    try:
        key = _key(letter, original, given.store_id)
        if given.replacement is not None:
            value: bytes | None = given.replacement
            origin: Origin = "file"
        else:
            value, origin = record(letter, found, head)
    except UnavailableError as refusal:
        return Refused(letter, str(refusal))
    headers = original.headers if original is not None else ()
    size = len(key) + len(value or b"") + sum(len(name) + len(text or b"") for name, text in headers)
    if size + _MARK_BYTES > INPUT_BYTES:
        return Refused(
            letter, f"with its mark it is {size + _MARK_BYTES:,} bytes, and the topic takes {INPUT_BYTES:,}"
        )
    fault = contract.fault(letter.topic, value, letter.record_time)
    if origin == "file" and fault is not None:
        return Refused(letter, f"the record given in its place breaks the contract: {fault}")
    return Outgoing(
        letter=letter,
        topic=letter.topic,
        key=key,
        value=value,
        headers=headers,
        # A snapshot without a time of its own has its record's: sent again it must not become newer.
        timestamp=original.timestamp if original is not None else moments.milliseconds(letter.record_time),
        origin=origin,
        fault=fault,
        caution=contract.caution(letter.topic, value, letter.record_time),
    )


def record(
    letter: DeadLetterListed, found: Original | Gone, head: bytes | None
) -> tuple[bytes | None, Origin]:
    """Return the bytes that were refused (of a search answer: the part), and where they are from.

    Raises UnavailableError when neither the log nor the letter has them all.
    """
    if isinstance(found, Original) and is_of(letter, found):
        return _of_log(letter, found), "log"
    return _of_letter(letter, found, head), "letter"


def is_of(letter: DeadLetterListed, found: Original | Gone) -> bool:
    """Tell whether the log has the letter's record, and not that of a topic made anew.

    A letter about a message that waited for its store's link holds the message, not the record's bytes: then
    store and time tell.
    """
    if isinstance(found, Gone):
        return False
    return sha256(found.value or b"").hexdigest() == letter.sha256 or (
        letter.store_id is not None
        and _store(found.key) == letter.store_id
        and moments.of_record(found.timestamp) == letter.record_time
    )


def _key(letter: DeadLetterListed, original: Original | None, given: str | None) -> bytes:
    if original is not None and original.key and _store(original.key) is not None:
        return original.key
    store_id = letter.store_id or given
    if store_id is None:
        raise UnavailableError(
            "no store is known of it, for its key cannot be one: say whose it is with --store ID"
        )
    return store_key(StoreId(store_id))


def _store(key: bytes | None) -> StoreId | None:
    try:
        return decode_key(key)
    except ContractError:
        return None


def _of_log(letter: DeadLetterListed, original: Original) -> bytes | None:
    value = original.value
    if value is None:
        return None
    held = sha256(value).hexdigest() != letter.sha256
    if letter.part is None and not held:
        return value
    if held:
        part = _held_part(letter, value)
        return value if part is None else _element(value, part)
    return _element(value, letter.part or 0)


def _held_part(letter: DeadLetterListed, value: bytes) -> int | None:
    """Return which part of the record the message was that had waited; None: it was the whole record."""
    found = contract.messages(letter.topic, value, letter.record_time)
    if len(found) == 1 and getattr(found[0], "order_id", None) == letter.order_id:
        return None
    same = [n for n, one in enumerate(found) if _is_message(one, letter)]
    if not same:
        raise UnavailableError(
            f"its message waited for the store's link, and which of the {len(found)} in {letter.source} it"
            " was cannot be told: give the record with --replace FILE"
        )
    return same[-1]


def _is_message(message: object, letter: DeadLetterListed) -> bool:
    if isinstance(message, ContractError):
        return False
    return sha256(codec.encode(message)).hexdigest() == letter.sha256


def _element(value: bytes, part: int) -> bytes:
    try:
        found: Sequence[bytes] = elements(value)
        return found[part]
    except (ContractError, ValueError, RecursionError, IndexError) as error:
        raise UnavailableError(
            f"part {part} of the record cannot be taken out of it ({error}): give it with --replace FILE"
        ) from None


def _of_letter(letter: DeadLetterListed, found: Original | Gone, head: bytes | None) -> bytes:
    gone = (
        found.why
        if isinstance(found, Gone)
        else f"another record stands at {letter.source}: the topic was made anew"
    )
    if head is None or not letter.complete:
        kept = "nothing" if head is None else f"the first {len(head):,} of {letter.length:,} bytes"
        raise UnavailableError(
            f"{gone}, and the letter holds {kept}: fetch the record from its sender and give it with"
            " --replace FILE, or publish it"
        )
    if letter.part is not None:
        return _element(head, letter.part)
    if letter.reason == "rule_failed" and contract.fault(letter.topic, head, letter.record_time) is not None:
        raise UnavailableError(
            f"{gone}, and the letter holds what was understood of it, not the record, for it had waited for"
            " the store's link: fetch the record from its sender and give it with --replace FILE, or publish"
            " it"
        )
    return head
