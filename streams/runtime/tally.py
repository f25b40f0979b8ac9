"""What a unit sends that someone may have to look at: counted as it is appended, on these topics only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

EXCEPTIONS = "exceptions"
LETTERS = "dead.letters"
OPENED, TOLD, CLOSED = CHANGES = ("opened", "told", "closed")
"""What happens to an exception."""

Counted = tuple[str, str, str]
"""Topic (its name in the registry), what it is, and what happened to it."""


class _Exception(msgspec.Struct):
    kind: str
    open: bool
    event_time: datetime
    opened_at: datetime


class _Letter(msgspec.Struct):
    reason: str


_decode_exception = msgspec.json.Decoder(_Exception).decode
_decode_letter = msgspec.json.Decoder(_Letter).decode


def _of_exception(value: bytes) -> Counted:
    event = _decode_exception(value)
    # One that is open already is told anew when its detail changes, with the time when it opened.
    opening = OPENED if event.opened_at == event.event_time else TOLD
    return EXCEPTIONS, event.kind, opening if event.open else CLOSED


def _of_letter(value: bytes) -> Counted:
    return LETTERS, _decode_letter(value).reason, "refused"


COUNTED: Mapping[str, Callable[[bytes], Counted]] = {EXCEPTIONS: _of_exception, LETTERS: _of_letter}
"""The topics that are counted, and how."""


class CountingBuilder:
    """A builder of one produce batch that counts what it takes."""

    __slots__ = ("_append", "_count", "_tally")

    def __init__(
        self, append: Callable[..., object], count: Callable[[bytes], Counted], tally: Counter[Counted]
    ) -> None:
        self._append = append
        self._count = count
        self._tally = tally

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> object:
        """Append a record, None when it does not fit."""
        appended: Any = self._append(timestamp=timestamp, key=key, value=value, headers=headers)
        if appended is not None and value is not None:
            self._tally[self._count(value)] += 1
        return appended
