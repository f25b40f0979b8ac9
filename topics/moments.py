"""Points in time as records may spell them, as UTC (DOMAIN 2)."""

import re
from datetime import UTC, datetime, timedelta

from topics.errors import ContractError, shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 10**11
"""Timestamps from here up are milliseconds (read as seconds they are after the year 5138)."""
FIRST_YEAR, LAST_YEAR = 1980, 2199
_FIRST = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()) * 1000
_LAST = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp()) * 1000 - 1
_MS = timedelta(milliseconds=1)

_SPACED_OFFSET = re.compile(r"\s+(?=[+-]\d)")
_ZONE_NAME = re.compile(r"\s*(?:UTC|GMT|Z)$", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d{5,18}(?:\.\d{1,9})?", re.ASCII)
_ZERO_DATE = "0000-00-00"  # how some databases write "none"


def from_stamp(stamp: float | None) -> int | None:
    """Return a timestamp (seconds, or milliseconds from 10^11 up) in milliseconds; absent and 0 are None.

    ContractError `bad_date` when it is not between 1980 and 2199: a wrong unit must not win for ever.
    """
    if not stamp:
        return None
    if not abs(stamp) <= 10**18:  # so put, it also catches NaN
        raise ContractError("bad_date", "not a point in time", value=shown(stamp))
    ms = int(stamp) if stamp >= MILLISECONDS_FROM else round(stamp * 1000)
    if not _FIRST <= ms <= _LAST:
        raise ContractError("bad_date", f"not between {FIRST_YEAR} and {LAST_YEAR}", value=shown(stamp))
    return ms


def from_text(text: str | None) -> int | None:
    """Return a date in milliseconds: `2014-11-05 12:53:30 -0800`, ISO 8601, or a timestamp as text.

    Without an offset it is UTC. Blank and all-zero dates are None; ContractError `bad_date` otherwise.
    """
    if text is None or not (text := text.strip()) or text.startswith(_ZERO_DATE):
        return None
    if _NUMBER.fullmatch(text):
        return from_stamp(float(text) if "." in text else int(text))
    plain = _ZONE_NAME.sub("+00:00", text)
    plain = _SPACED_OFFSET.sub("", plain) if plain.count(" ") > plain[:11].count(" ") else plain
    try:
        moment = datetime.fromisoformat(plain)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ContractError("bad_date", "not a date", value=shown(text)) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ContractError("bad_date", f"not between {FIRST_YEAR} and {LAST_YEAR}", value=shown(text))
    return (moment - EPOCH) // _MS


def at(ms: int) -> datetime:
    return EPOCH + ms * _MS


def of_record(ms: int) -> datetime:
    """Return the time of a Kafka record, held to what can be: a broker may let any number pass."""
    return EPOCH + min(max(ms, 0), _LAST) * _MS


def milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // _MS
