"""How values go into a binary COPY: numbers and times straight from the text that events carry.

Events carry decimals and times as text. asyncpg's own codecs want `Decimal` and `datetime` and take each
apart in Python, which was half of the sink's time. Most values come again and again (0, 1, the prices, the
one time that all rows of an order share), so the bytes are cached by their text.
"""

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from storage.errors import RowError

# Postgres' own limit is far higher; our contracts allow 12 digits before the point and 12 after it.
MAX_DIGITS = 200
INDEXED_CHARS = 400
"""Longest text in an indexed column. An index entry holds at most 2,704 bytes: this and a store id fit."""

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEGATIVE = 0x4000
_BASE = 10_000
_BASE_DIGITS = 4
_pack_int64 = struct.Struct(">q").pack


@lru_cache(1 << 16)
def numeric(text: str) -> bytes:
    """Return Postgres' binary form of a decimal, its scale kept; RowError when it is not a finite number."""
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        raise RowError(f"not a number: {text[:40]!r}") from None
    if not isinstance(exponent, int):
        raise RowError(f"not a finite number: {text[:40]!r}")
    if len(digits) + abs(exponent) > MAX_DIGITS:
        raise RowError(f"a number of more than {MAX_DIGITS} digits: {text[:40]!r}")
    scale = max(0, -exponent)
    padding = -scale % _BASE_DIGITS
    number = int("".join(map(str, digits))) * 10 ** (max(0, exponent) + padding)
    groups: list[int] = []
    while number:
        number, group = divmod(number, _BASE)
        groups.append(group)
    # The weight is the place of the first group left of the decimal point, counted from 0.
    weight = len(groups) - 1 - (scale + padding) // _BASE_DIGITS if groups else 0
    groups.reverse()
    while groups and not groups[-1]:
        groups.pop()
    flags = _NEGATIVE if sign and groups else 0
    return struct.pack(f">hhHH{len(groups)}H", len(groups), weight, flags, scale, *groups)


@lru_cache(1 << 14)
def timestamptz(text: str) -> bytes:
    """Return Postgres' binary form of an ISO 8601 time; RowError when it is none or has no offset."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise RowError(f"not a time: {text[:40]!r}") from None
    if time.tzinfo is None:
        raise RowError(f"a time without an offset from UTC: {text[:40]!r}")
    return _pack_int64((time - _POSTGRES_EPOCH) // _MICROSECOND)


def indexed(text: str) -> str:
    """Cut a text to what an index can hold."""
    return text if len(text) <= INDEXED_CHARS else text[:INDEXED_CHARS]


async def prepare(connection: Any) -> None:
    """Let a connection take numbers, times and JSON as the text or bytes that events carry.

    Such a connection is for writing: it reads these types back as raw bytes.
    """
    for name, encoder in (("numeric", numeric), ("timestamptz", timestamptz), ("json", bytes)):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=encoder, decoder=bytes, format="binary"
        )
