"""Reads one record: the quick way first, the lenient way where that fails."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET

from topics import moments
from topics.decoders import lenient, wire
from topics.errors import WEBHOOK_BODY, ContractError, shown

MAX_ID = 255
"""An id may have so many characters: it is a key, and an index entry in the history."""
MAX_EMAIL = 320
"""64 before the @ and 255 after it; the customer's key."""

_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)

Wire = TypeVar("Wire", bound=msgspec.Struct)
Message = TypeVar("Message")
Meaning = TypeVar("Meaning")
Build = Callable[[Wire, tuple[str, ...]], Message]


class _Wrapper(msgspec.Struct):
    data: msgspec.Raw
    id: Any = UNSET


_WRAPPER = re.compile(rb'\s*\{\s*"data"')
_decode_wrapper = msgspec.json.Decoder(_Wrapper).decode


class Shape(Generic[Wire]):
    """The wire shape of a record, and the two ways to fill it."""

    def __init__(self, wire_type: type[Wire]) -> None:
        """Make the typed decoder and the lenient filler, once."""
        self.type = wire_type
        self.decode: Callable[[bytes], Wire] = msgspec.json.Decoder(wire_type).decode
        self.fill = lenient.filler(wire_type)


def quick(value: bytes, shape: Shape[Wire], build: Build[Wire, Message]) -> Message | None:
    """Return the message if nothing in the bytes needs a second look; None otherwise.

    Whatever fails here is read again the lenient way, which either understands it or names the fault.
    """
    if wire.needs_mending(value):
        return None
    try:
        return build(shape.decode(value), ())
    except (msgspec.DecodeError, ContractError, RecursionError):
        return None


def thorough(tree: Any, path: str, shape: Shape[Wire], build: Build[Wire, Message]) -> Message:
    """Return the message from parsed JSON; raise the ContractError that names the field otherwise."""
    mended: list[str] = []
    try:
        filled = shape.fill(tree, mended)
        return build(filled, tuple(dict.fromkeys(mended)))
    except ContractError as error:
        if path:
            error.field = f"{path}.{error.field}" if error.field else path
        raise


def read(value: bytes | None, shape: Shape[Wire], build: Build[Wire, Message]) -> Message:
    """Return the record's message, bare or in the point of sale's wrapper `{"data": {…}}`."""
    text = wire.body(value)
    if (message := quick(_within(text), shape, build)) is not None:
        return message
    tree, path = unwrapped(wire.parse(text))
    refuse_webhook(tree)
    return thorough(tree, path, shape, build)


def _within(text: bytes) -> bytes:
    """Return the object in the wrapper if the text begins like one: the same choice as `unwrapped`."""
    if not _WRAPPER.match(text):
        return text
    try:
        wrapped = _decode_wrapper(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return bytes(wrapped.data) if wrapped.id is UNSET else text


def unwrapped(tree: Any) -> tuple[Any, str]:
    """Take the object out of `{"data": {…}}`; return it with its path."""
    if isinstance(tree, dict) and not lenient.absent(tree.get("data")) and "id" not in tree:
        return tree["data"], "data"
    return tree, ""


def refuse_webhook(tree: Any) -> None:
    """Refuse a notification: it names an event and an entity, but is not the entity itself."""
    if isinstance(tree, dict) and "eventType" in tree and "items" not in tree and "id" not in tree:
        raise ContractError("webhook_body", WEBHOOK_BODY)


def identifier(value: str | int | None, field: str, limit: int = MAX_ID) -> str | None:
    """Return an id as trimmed text, None when it is absent or empty; `too_long` beyond its limit."""
    if value is None:
        return None
    text = (value if isinstance(value, str) else str(value)).strip()
    if len(text) > limit:
        raise ContractError(
            "too_long", f"longer than {limit} characters", field=field, value=f"{len(text)} characters"
        )
    return text or None


def required(value: str | int | None, field: str) -> str:
    text = identifier(value, field)
    if text is None:
        raise missing(field)
    return text


def missing(field: str) -> ContractError:
    return ContractError("missing_field", "missing", field=field)


def plain(text: str | None) -> str | None:
    """Return the text without space around it, None when nothing is left."""
    return (text.strip() or None) if text else None


def counted(version: int | None) -> int | None:
    """Return a version within 64 bits, as the history keeps it."""
    if version is not None and abs(version) > lenient.MAX_WHOLE:
        raise ContractError("bad_number", "beyond 64 bits", field="version", value=shown(version))
    return version


def moment(text: str | None, field: str) -> datetime | None:
    """Return the point in time that a field holds, None when it is absent; `bad_date` names the field."""
    try:
        ms = moments.from_text(text)
    except ContractError as error:
        error.field = field
        raise
    return None if ms is None else moments.at(ms)


def meaning(word: str, field: str, meanings: Mapping[str, Meaning]) -> Meaning:
    """Return what a word of the sender's stands for, in any case; `bad_value` names those that are known."""
    found = meanings.get(word)
    if found is None and (found := meanings.get(word.strip().upper())) is None:
        raise unknown(word, field, meanings)
    return found


def unknown(word: str, field: str, known: Iterable[str]) -> ContractError:
    """Return the refusal of a word; it is quoted if it can be one: other text may be about a person."""
    word = word.strip()
    value = f'"{word}"' if _CODE.fullmatch(word) else shown(word)
    return ContractError("bad_value", f"not one of {', '.join(known)}", field=field, value=value)


def apart(ids: list[str]) -> list[str]:
    """Give those that share an id one each, by their order (`7`, `7~2`): a key must be one's own."""
    if len(ids) == len(given := set(ids)):
        return ids
    seen: set[str] = set()
    found: list[str] = []
    for own in ids:
        name, again = own, 1
        while name in seen or (again > 1 and name in given):
            again += 1
            name = f"{own}~{again}"
        seen.add(name)
        found.append(name)
    return found


def is_set(mark: str | bool | int | None) -> bool:
    """Tell whether a field like `deleted_at` is set: any date but an all-zero one."""
    if isinstance(mark, str):
        mark = mark.strip()
        return bool(mark) and not mark.startswith("0000-00-00") and mark.lower() not in ("false", "0")
    return bool(mark)
