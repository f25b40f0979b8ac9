"""Splits what people have in files (a JSON document, an array, lines) into records, byte for byte."""

import json
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec

_decoder = json.JSONDecoder(strict=False)
_SPACE = " \t\r\n"
BOM = "\ufeff"
WRAPPED = frozenset({"pos.inventory", "pos.sales", "pos.fulfillments", "pos.products", "pos.customers"})
"""Topics whose API answers with `{"data": […]}`: a record for each element."""


class Payload(NamedTuple):
    """The value of a record to be, and where it was found; None is a record without a value."""

    value: bytes | None
    place: str


class PayloadError(ValueError):
    """A file does not hold JSON: the message says which, where in it, and what to do."""


class _Wrapper(msgspec.Struct):
    data: list[msgspec.Raw]


def whole(file: BinaryIO, name: str) -> Iterator[Payload]:
    """Yield the file as one record, whatever it is."""
    yield Payload(file.read(), name)


def split(file: BinaryIO, name: str, topic: str) -> Iterator[Payload]:
    """Yield each JSON value of the file: the elements of an array, else each value of a sequence.

    A search answer stays one record. `null` is a record without a value. Lines that are JSON each are read
    one by one, so that a file may be larger than memory. Raises PayloadError.
    """
    first = file.readline()
    while first and not first.strip():
        first = file.readline()
    if _is_line(first):
        yield from _lines(file, name, topic, first)
        return
    text = _text(first + file.read(), name)
    for place, (start, end) in enumerate(_values(text, name), start=1):
        yield from _records(text[start:end], f"{name}, value {place}", topic)


def _is_line(line: bytes) -> bool:
    """Tell whether the line is a JSON object of its own."""
    try:
        value, end = _decoder.raw_decode(line.decode("utf-8-sig").strip())
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and end == len(line.decode("utf-8-sig").strip())


def _lines(file: BinaryIO, name: str, topic: str, line: bytes) -> Iterator[Payload]:
    number = 1
    while line:
        text = _text(line, f"{name}, line {number}").strip()
        if text:
            place = f"{name}, line {number}"
            try:
                _, end = _decoder.raw_decode(text)
            except ValueError as error:
                raise _not_json(place, error) from None
            if end != len(text):
                raise PayloadError(f"{place}: more than one JSON value. Put each on a line of its own.")
            yield from _records(text, place, topic)
        line = file.readline()
        number += 1


def _text(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError(
            f"{place} is not UTF-8 at byte {error.start}. Convert it, or use --raw to send it as it is."
        ) from None


def _values(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Yield where each value begins and ends: of one array its elements, else of the whole sequence."""
    at = _past_space(text, 0)
    within = text[at : at + 1] == "["
    at += within
    while True:
        at = _past_space(text, at)
        if at == len(text) and not within:
            return
        if within and text[at : at + 1] == "]":
            if _past_space(text, at + 1) != len(text):
                raise PayloadError(f"{name}: text after the array's end. Use --raw to send it as it is.")
            return
        try:
            _, end = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _not_json(name, error) from None
        yield at, end
        at = _past_space(text, end)
        if within and text[at : at + 1] == ",":
            at += 1
        elif within and text[at : at + 1] != "]":
            raise _not_json(name, json.JSONDecodeError("Expecting ',' delimiter", text, at))


def _past_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _not_json(place: str, error: Exception) -> PayloadError:
    said = (
        f"{error.msg} at line {error.lineno}"
        if isinstance(error, json.JSONDecodeError)
        else "nested too deep"
    )
    return PayloadError(f"{place} is not JSON: {said}. Use --raw to send a file as one record, as it is.")


def _records(text: str, place: str, topic: str) -> Iterator[Payload]:
    if text == "null":
        yield Payload(None, place)
        return
    value = text.encode()
    if topic in WRAPPED and '"data"' in text:
        try:
            wrapped = msgspec.json.decode(value, type=_Wrapper).data
        except msgspec.DecodeError:
            pass  # one object in the wrapper, or none: the decoder knows both
        else:
            for number, element in enumerate(wrapped, start=1):
                yield Payload(bytes(element), f"{place}, data {number}")
            return
    yield Payload(value, place)
