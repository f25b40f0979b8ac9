"""A unit into Postgres: rows and progress in one transaction, by COPY, without an await per row."""

import logging
from collections.abc import Sequence
from typing import Any

import asyncpg

from storage import progress
from storage.growth.making import make_ready
from storage.intake import Unit
from storage.rows import TARGETS, Target
from storage.rows.dead_letters import LETTER, NOT_A_ROW, DeadLetter, refused
from storage.rows.entry import Entry

log = logging.getLogger(__name__)

# Classes of SQLSTATE that blame the data: a value out of range, a key twice, a row too large for its index.
_DATA_CLASSES = ("22", "23", "54")


def blames_data(error: BaseException) -> bool:
    """Whether an error comes from what is in a record, so that its neighbours can be written without it."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _DATA_CLASSES
    # What encoding a value for COPY raises; RowError and UnicodeEncodeError are ValueErrors.
    return isinstance(error, (ValueError, OverflowError)) and not isinstance(error, asyncpg.InterfaceError)


async def write_unit(connection: Any, consumer: str, partition: int, unit: Unit) -> None:
    """Write a unit: all of it, or nothing when an error is raised.

    Raises FencedError when another worker has the partition; any other error comes from Postgres or the
    network. A record that cannot be written is a row in `dead_letters` instead, and its neighbours are
    written.
    """
    await make_ready(connection, unit)
    try:
        async with connection.transaction():
            await progress.advance(connection, consumer, partition, unit.moves)
            for name, entries in unit.entries.items():
                await TARGETS[name].write(connection, entries, careful=False)
            await LETTER.write(connection, unit.letters, careful=False)
    except Exception as error:
        if not blames_data(error):
            raise
        log.info(
            "partition %s: %s; writing this unit again, record by record where need be",
            partition,
            _name(error),
        )
    else:
        return
    async with connection.transaction():
        await progress.advance(connection, consumer, partition, unit.moves)
        letters = list(unit.letters)
        for name, entries in unit.entries.items():
            letters += await _write_carefully(connection, TARGETS[name], entries)
        await LETTER.write(connection, letters, careful=True)


async def _write_carefully(
    connection: Any, target: Target, entries: Sequence[Entry[Any]]
) -> list[Entry[DeadLetter]]:
    """Write what can be written; return letters for the rest. Halves what fails until the record is found."""
    if not entries:
        return []
    try:
        async with connection.transaction():
            await target.write(connection, entries, careful=True)
    except Exception as error:
        if not blames_data(error):
            raise
        if len(entries) == 1:
            return [_refuse(entries[0], error)]
    else:
        return []
    middle = len(entries) // 2
    return [
        *await _write_carefully(connection, target, entries[:middle]),
        *await _write_carefully(connection, target, entries[middle:]),
    ]


def _refuse(entry: Entry[Any], error: Exception) -> Entry[DeadLetter]:
    record = entry.record
    log.error(
        "%s/%s offset %s cannot be a row (%s); it is in dead_letters with the reason, its neighbours are"
        " written. Correct the event's producer, then re-drive it",
        record.topic,
        record.partition,
        record.offset,
        _name(error),
    )
    return refused(record, NOT_A_ROW, f"{_name(error)}: {error}")


def _name(error: BaseException) -> str:
    """Name an error without its text, which may quote a customer."""
    code = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
