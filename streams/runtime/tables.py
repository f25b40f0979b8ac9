"""Typed tables over encoded rows, with the changes of one unit on top."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

import msgspec
from sortedcontainers import SortedList  # type: ignore[import-untyped]  # ships no types

from streams.runtime.store import Rows, keys_between

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """A typed decoder, such as `msgspec.json.Decoder(Level)`."""

    def decode(self, data: bytes, /) -> T_co: ...


@dataclass(frozen=True, slots=True)
class TableSpec(Generic[T]):
    """A table's name and how its values are written; without a decoder the values are bytes as they are.

    One that `grows` for ever need not be in memory whole (see `tier`).
    """

    name: str
    decoder: Decoder[T] | None = None
    encoder: msgspec.json.Encoder | None = None
    grows: bool = False

    def decode(self, value: bytes) -> T:
        """The value of a row."""
        return cast("T", value) if self.decoder is None else self.decoder.decode(value)

    def encode(self, value: T) -> bytes:
        """The bytes of a value; bytes are taken as encoded already."""
        if isinstance(value, bytes):
            return value
        return (self.encoder or _ENCODER).encode(value)


_ENCODER = msgspec.json.Encoder(decimal_format="string", order="deterministic")


class TableView(Generic[T]):
    """One partition of a table as a unit of work sees it: its own changes first, then what is committed."""

    __slots__ = ("_changed", "_cold", "_encoded", "_new", "_rows", "_spec", "_values")

    def __init__(self, spec: TableSpec[T], rows: Rows) -> None:
        self._spec = spec
        self._rows = rows
        self._values: dict[bytes, T | None] = {}  # read or written in this unit, decoded once
        self._encoded: dict[bytes, bytes] = {}  # changes that came as bytes
        self._changed: dict[bytes, None] = {}  # in the order of the first change
        self._cold: dict[bytes, bytes | None] = {}  # what the disk was asked for in this unit
        self._new: SortedList | None = None  # changed keys without a row in memory; made at the first scan

    def get(self, key: bytes) -> T | None:
        """The value at `key`, or None."""
        values = self._values
        if key in values:
            return values[key]
        row = self._encoded.get(key) if self._encoded else None
        if row is None:
            row = self._rows.data.get(key)
            if row is None and self._rows.cold is not None:
                row = self._from_disk(key)
        value = values[key] = None if row is None else self._spec.decode(row)
        return value

    def put(self, key: bytes, value: T | bytes | None) -> None:
        """Set the value at `key`, or with None remove it.

        A struct is encoded when the unit is sealed. Its bytes, where they are known, are better: they are
        only decoded again if they are read, and the struct need not be kept until then.
        """
        if isinstance(value, bytes):
            self._encoded[key] = value
            self._values.pop(key, None)
        else:
            self._values[key] = value
            self._encoded.pop(key, None)
        if key not in self._changed:
            self._changed[key] = None
            if self._new is not None and key not in self._rows.data:
                self._new.add(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, T]]:
        """Keys that begin with `prefix` and their values, sorted; which keys is settled at the first step."""
        if self._new is None:
            self._new = SortedList(key for key in self._changed if key not in self._rows.data)
        keys = self._rows.keys_from(prefix)
        new = keys_between(self._new, prefix)
        for key in sorted({*keys, *new}) if new else keys:
            value = self.get(key)
            if value is not None:
                yield key, value

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What the unit changed, encoded; a change to what is there already is none."""
        rows, values, known, encode = self._rows.data, self._values, self._encoded, self._spec.encode
        cold = self._rows.cold is not None
        changes: list[tuple[bytes, bytes | None]] = []
        for key in self._changed:
            encoded = known.get(key)
            if encoded is None and (value := values[key]) is not None:
                encoded = encode(value)
            row = rows.get(key)
            if row is None and cold:
                row = self._from_disk(key)
            if encoded != row:
                changes.append((key, encoded))
        return changes

    def _from_disk(self, key: bytes) -> bytes | None:
        if key in self._cold:
            return self._cold[key]
        row = self._cold[key] = self._rows.get(key)
        return row

    def apply(self, changes: list[tuple[bytes, bytes | None]]) -> None:
        """Make committed changes the table's."""
        self._rows.apply(changes)
