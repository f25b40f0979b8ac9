"""From the bytes of a record to its JSON: UTF-8, well formed, not too deep."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from topics.errors import EMPTY_VALUE, ContractError

BOM = b"\xef\xbb\xbf"
_ESCAPE = b"\\"
_ESCAPED_NUL = b"\\u0000"
_NAN = Decimal("NaN")


def body(value: bytes | None) -> bytes:
    """Return the record's text as UTF-8 without a byte order mark; ContractError if there is none."""
    if not value:
        raise ContractError("empty_record", EMPTY_VALUE)
    if value.startswith(BOM):
        value = value[len(BOM) :]
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise ContractError("not_utf8", f"the value is not UTF-8 at byte {error.start}") from None
    if not value or value.isspace():
        raise ContractError("empty_record", EMPTY_VALUE)
    return value


def needs_mending(text: bytes) -> bool:
    """Tell whether the text may hold a NUL; a lone surrogate stops the quick decoder by itself."""
    return _ESCAPE in text and _ESCAPED_NUL in text


def _whole(digits: str) -> int | Decimal:
    # Python refuses to make an int of thousands of digits; a Decimal takes them, and the limits refuse it.
    return int(digits) if len(digits) <= 18 else Decimal(digits)


def _fraction(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent that does not fit even a Decimal
        return _NAN


def _constant(_name: str) -> Decimal:
    return _NAN  # refused by the limits, with the field's name, if the field is used at all


def parse(value: bytes) -> Any:
    """Return the JSON with every number exact; ContractError `not_json`, `too_deep` or `empty_record`."""
    try:
        tree = json.loads(
            value, parse_float=_fraction, parse_int=_whole, parse_constant=_constant, strict=False
        )
    except RecursionError:
        raise ContractError("too_deep", "lists and objects nest too deep") from None
    except ValueError as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        said = error.msg if isinstance(error, json.JSONDecodeError) else "unreadable"
        raise ContractError("not_json", f"the value is not JSON: {said}{place}") from None
    if tree is None:
        raise ContractError("empty_record", EMPTY_VALUE)
    return tree
