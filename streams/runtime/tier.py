"""Rows in two tiers: the latest written in memory, the others on disk."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from streams.runtime.disk import Disk
from streams.runtime.store import Rows

# What a row takes beside its key and value: two objects' heads, its place in the dictionary and in its order.
ROW_BYTES = 200
# Rows are moved in portions: once there are so many bytes too much, or so much of what there may be.
PORTION_BYTES = 256 << 10
PORTION_SHARE = 1 / 16
# A write to disk copies its rows: a large move goes in steps.
STEP_BYTES = 4 << 20


class TieredRows(Rows):
    """Rows of which those that were not written for longest leave memory, when their partition has no room.

    Which tier a row is in shows nowhere but in the time it takes to read it. A row in memory hides the one
    that an earlier move left on disk under its key.
    """

    __slots__ = ("_disk", "_room", "_table", "size")

    data: OrderedDict[bytes, bytes]

    def __init__(self, table: str, room: Room, disk: Disk) -> None:
        super().__init__(OrderedDict())  # in the order of the last write
        self.size = 0
        """Bytes of memory that the rows take, about."""
        self._table = table
        self._room = room
        self._disk = disk

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        data, keys = self.data, self._keys
        grown = 0
        gone: list[bytes] = []
        for key, value in changes:
            before = data.pop(key, None)  # what is put again goes to the end
            if before is not None:
                grown -= len(key) + len(before) + ROW_BYTES
            if value is None:
                gone.append(key)
                if before is not None and keys is not None:
                    keys.remove(key)
            else:
                data[key] = value
                grown += len(key) + len(value) + ROW_BYTES
                if before is None and keys is not None:
                    keys.add(key)
        self.size += grown
        self._room.used += grown
        if gone and self.cold is not None:
            self.cold.remove(gone)

    def restore(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        self.apply(changes)
        self._room.make()

    def evict(self, amount: int) -> int:
        """Move the oldest rows to disk, of `amount` bytes at least; returns how many rows."""
        data, keys = self.data, self._keys
        moved: list[tuple[bytes, bytes]] = []
        freed = count = 0
        while freed < amount and data:
            step = min(freed + STEP_BYTES, amount)
            while freed < step and data:
                row = data.popitem(last=False)
                freed += len(row[0]) + len(row[1]) + ROW_BYTES
                moved.append(row)
            if self.cold is None:
                self.cold = self._disk.rows(self._table, self._room.partition)
            self.cold.put(moved)
            if keys is not None:
                for key, _ in moved:
                    keys.remove(key)
            count += len(moved)
            moved = []
        self.size -= freed
        self._room.used -= freed
        return count


class Room:
    """The memory that the tables of one partition share; `limit` and `used` are bytes."""

    __slots__ = ("_disk", "limit", "partition", "rows", "used")

    def __init__(self, partition: int, limit: int, disk: Disk) -> None:
        self.partition = partition
        self.limit = limit
        self.used = 0
        self.rows: list[TieredRows] = []
        self._disk = disk

    def add(self, table: str) -> TieredRows:
        """Take in a table, empty."""
        rows = TieredRows(table, self, self._disk)
        self.rows.append(rows)
        return rows

    def make(self) -> None:
        """Move rows to disk if the room is overfull.

        Each table gives up the same part of what it has. So in the long run the tables keep what was written
        in about the same time, and one that grows faster keeps more. A unit of work leaves no more to move
        than it brought in, so that it takes longer in proportion and no more.
        """
        excess, used = self.used - self.limit, self.used
        if excess <= min(PORTION_BYTES, self.limit * PORTION_SHARE):
            return
        health = self._disk.health
        for rows in self.rows:
            health.moved += rows.evict(-(-excess * rows.size // used))

    def drop(self) -> None:
        """Delete what is on disk; the rest goes with the rows."""
        for rows in self.rows:
            if rows.cold is not None:
                rows.cold.drop()


class Tiers:
    """What a worker's growing tables may have of memory: `limit` bytes, evenly over its partitions."""

    def __init__(self, limit: int, disk: Disk) -> None:
        self.disk = disk
        self._limit = limit
        self._share = limit
        self._rooms: dict[int, Room] = {}

    @property
    def used(self) -> int:
        """Bytes of memory that rows take, about."""
        return sum(room.used for room in self._rooms.values())

    async def assign(self, kept: set[int], owned: set[int]) -> None:
        """Forget all partitions but those `kept`, and share the memory out anew over those `owned`."""
        gone = [self._rooms.pop(partition) for partition in self._rooms.keys() - kept]
        await asyncio.to_thread(_drop, gone)
        self._share = self._limit // max(1, len(owned))
        for room in self._rooms.values():
            room.limit = self._share
            room.make()

    def rows(self, table: str, partition: int) -> TieredRows:
        """New rows of a table in a partition, empty."""
        room = self._rooms.get(partition)
        if room is None:
            room = self._rooms[partition] = Room(partition, self._share, self.disk)
        return room.add(table)

    def make_room(self, partition: int) -> None:
        """Move rows of a partition to disk if they have outgrown its share; after each unit of work."""
        room = self._rooms.get(partition)
        if room is not None:
            room.make()


def _drop(rooms: Iterable[Room]) -> None:
    for room in rooms:
        room.drop()
