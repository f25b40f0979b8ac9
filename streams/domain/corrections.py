"""Corrections: an operator puts a level right, and the movements with it (DOMAIN 4)."""

from datetime import timedelta
from decimal import Decimal

from streams.domain import arrivals, awaiting, exceptions, tables
from streams.domain.books import Books
from streams.domain.moves import NO_LEVEL, Moves
from streams.domain.outcomes import Outcome
from streams.domain.state import Awaited, Corrected, Level
from topics.corrections import Correction, LedgerLevel

_NEXT = timedelta(microseconds=1)


def correct(books: Books, told: Correction) -> Outcome:
    """Raise a level by what is told, unless it has moved since that was computed, or this was decided before.

    What is refused opens an exception, which the next correction of the level that applies closes. The store
    must be linked; LookupError when it is not.
    """
    shop = books.linked_shop()
    if books.get(tables.CORRECTIONS, told.correction_id) is not None:
        return Outcome.UNCHANGED
    level = books.stock(told.product_id).outlets.get(told.outlet_id, NO_LEVEL)
    refusal = _refusal(told, level)
    exceptions.set_open(
        books,
        "correction_refused",
        f"level/{told.product_id}/{told.outlet_id}",
        None if refusal is None else f"correction {told.correction_id}: {refusal}",
    )
    if refusal is not None:
        books.put(tables.CORRECTIONS, told.correction_id, Corrected(None))
        return Outcome.CONFLICT
    if not _says_something(told):
        books.put(tables.CORRECTIONS, told.correction_id, Corrected(level.revision))
        return Outcome.UNCHANGED
    ledger = told.ledger or ledger_of(level)
    after = _raised(level, told, books, max(level.revision, ledger.revision) + 1)
    moves = Moves(books, shop)
    moves.correct(told.product_id, told.outlet_id, after, ledger)
    moves.post("corrected")
    books.put(tables.CORRECTIONS, told.correction_id, Corrected(after.revision))
    arrivals.freed(books, shop, moves.freed)
    return Outcome.DECIDED


def ledger_of(level: Level) -> LedgerLevel:
    """Return what the movements of a level add up to, if all is right."""
    return LedgerLevel(
        revision=level.revision,
        on_hand=level.on_hand,
        allocated=level.allocated,
        awaiting=level.awaiting,
    )


def _refusal(told: Correction, level: Level) -> str | None:
    if told.revision != level.revision:
        return (
            f"it was computed at revision {told.revision} of the level, which is at {level.revision} by now:"
            " compute it anew"
        )
    if level.allocated + told.allocated < 0:
        return f"{level.allocated:f} are allocated, which {told.allocated:+f} would bring below 0"
    if level.awaiting + told.awaiting < 0:
        return f"{level.awaiting:f} await their count, which {told.awaiting:+f} would bring below 0"
    return None


def _says_something(told: Correction) -> bool:
    return bool(told.on_hand or told.allocated or told.awaiting or told.ledger is not None)


def _raised(level: Level, told: Correction, books: Books, revision: int) -> Level:
    allocated = level.allocated + told.allocated
    awaited = _awaited(level, told.awaiting, books)
    return Level(
        level.on_hand + told.on_hand,
        allocated,
        awaiting.total(awaited),
        min(level.backordered, allocated),
        revision,
        level.version,
        level.counted_at,
        awaited,
    )


def _awaited(level: Level, more: Decimal, books: Books) -> tuple[Awaited, ...]:
    if more <= 0:
        return awaiting.fewer(level.awaited, -more)
    since = books.event_time
    if level.counted_at is not None and level.counted_at >= since:
        since = level.counted_at + _NEXT  # a count that was seen already does not show them
    return awaiting.added(level.awaited, more, since)
