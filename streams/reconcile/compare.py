"""Names the differences between what was seen, each with its cause. Pure: no I/O."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from streams.domain.state import Level
from streams.reconcile.counts import Counted, CountsOf
from streams.reconcile.difference import Cause, Difference, Remedy
from streams.reconcile.ledger import LedgerOf
from streams.reconcile.look import Seen
from streams.reconcile.standing import LevelKey, Standing, plain
from streams.reconcile.table import standing
from topics.inventory import InventoryLevel
from topics.numbers import ZERO

NO_COUNTS = CountsOf()
Filed = Mapping[LevelKey, InventoryLevel]


def differences(seen: Seen, filed: Filed | None = None, sku: str | None = None) -> list[Difference]:
    """Return what differs; `filed` are levels from a file, `sku` looks at no other product and no sales."""
    found: list[Difference] = []
    if seen.link is None:
        found.append(_about(seen, "not_linked", "link", "the store has no link: what comes of it waits"))
    found += [
        _about(seen, "postgres_behind", "wait", f"Postgres has {count} records of {topic} still to write")
        for topic, count in seen.behind.items()
        if count
    ]
    for key in sorted(_keys(seen, filed or {})):
        if sku is None or sku in _names(seen, key, filed or {}):
            found += level(seen, key, (filed or {}).get(key))
    if sku is None:
        found += _sales(seen)
    return found


def _keys(seen: Seen, filed: Filed) -> set[LevelKey]:
    rows: set[Any] = set(seen.rows.levels)
    return {*seen.table.keys(), *seen.ledgers, *seen.counts.levels, *seen.sold.promised, *rows, *filed}


def _names(seen: Seen, key: LevelKey, filed: Filed) -> set[str]:
    names = {seen.table.sku(key[0])}
    if key in seen.ledgers:
        names.add(seen.ledgers[key].sku)
    if key in seen.rows.levels:
        names.add(seen.rows.levels[key].sku)
    if key in filed:
        names.add(filed[key].sku or "")
    return names


def level(seen: Seen, key: LevelKey, filed: InventoryLevel | None) -> Iterator[Difference]:
    """Yield the differences of one level."""
    in_table, ledger = seen.table.level(key), seen.ledgers.get(key)
    if key in seen.moving:
        yield _of(seen, key, "moving", "look", "the level moved at every look")
    else:
        yield from _ledger(seen, key, in_table, ledger)
        if in_table is not None and key not in seen.fresh:
            counts = seen.counts.levels.get(key, NO_COUNTS)
            yield from _counted(seen, key, in_table, counts, ledger)
        if filed is not None and key not in seen.fresh:
            yield from _filed(seen, key, in_table, filed)
        if key in seen.unlike_promises:
            has = ZERO if ledger is None else ledger.after.allocated
            holds = seen.sold.promised.get(key, ZERO)
            text = f"{plain(has)} are allocated, and the sales hold {plain(holds)}"
            yield _of(seen, key, "promises_differ", "compensate", text)
    yield from _rows(seen, key, ledger)


def _ledger(
    seen: Seen, key: LevelKey, in_table: Level | None, ledger: LedgerOf | None
) -> Iterator[Difference]:
    if ledger is not None:
        for fault in ledger.faults:
            cause: Cause = "movements_missing" if fault.missing else "movements_differ"
            yield _of(seen, key, cause, "compensate", fault.text)
    at = 0 if in_table is None else in_table.revision
    told = 0 if ledger is None else ledger.revision
    if key in seen.apart:
        if at < told:
            text = f"the table is at revision {at}, and the movements at {told}"
            yield _of(seen, key, "table_behind", "compensate", text)
        else:
            text = f"the table is at revision {at}, and the last movement on the topic is {told}"
            yield _of(seen, key, "table_ahead", "compensate", text)
    elif in_table is not None and ledger is not None and at == told and standing(in_table) != ledger.after:
        text = f"the table has {standing(in_table)}, and the last movement says {ledger.after}"
        yield _of(seen, key, "table_differs", "compensate", text)


def expected(counts: CountsOf, ledger: LedgerOf | None, on_hand: Decimal) -> Decimal | None:
    """Return what is on hand by the last count, with what was corrected since; None when no count tells.

    A count that found what corrections had set moved nothing: `on_hand` without them is right as well.
    """
    count = counts.applied
    if count is None:
        return None
    corrected = ledger.corrected if ledger is not None else ZERO
    return count.level if on_hand == count.level else count.level + corrected


def _counted(
    seen: Seen, key: LevelKey, in_table: Level, counts: CountsOf, ledger: LedgerOf | None
) -> Iterator[Difference]:
    late, on_hand = counts.late, in_table.on_hand
    waiting = counts.waiting[-1] if counts.waiting else None
    if waiting is not None and waiting.level != on_hand:
        text = f"a count of {plain(waiting.level)} is on pos.inventory@{waiting.offset}, not decided yet"
        yield _of(seen, key, "count_waits", "wait", text)
    if late is not None and late.level != on_hand:
        text = (
            f"the last count on the topic ({plain(late.level)}, version {late.version}, @{late.offset}) is"
            f" older than version {in_table.version}, which applies"
        )
        yield _of(seen, key, "count_late", "none", text)
    due = expected(counts, ledger, on_hand)
    if due is None or due == on_hand or counts.applied is None:
        return
    if seen.link is None:
        return  # counts wait for the link
    if _newer_seen(in_table, counts.applied):
        text = (
            f"the last count on the topic ({plain(counts.applied.level)}, version {counts.applied.version})"
            f" is older than version {in_table.version}, which retention has removed"
        )
        yield _of(seen, key, "count_late", "none", text)
        return
    text = f"{plain(on_hand)} are on hand, and {plain(counts.applied.level)} were counted last"
    since = due - counts.applied.level
    if since:
        text += f", with {plain(since)} corrected since"
    yield _of(seen, key, "unlike_count", "compensate", text)


def _newer_seen(in_table: Level, count: Counted) -> bool:
    return in_table.version is not None and count.version is not None and count.version < in_table.version


def _filed(seen: Seen, key: LevelKey, in_table: Level | None, filed: InventoryLevel) -> Iterator[Difference]:
    on_hand = ZERO if in_table is None else in_table.on_hand
    if in_table is not None and filed.level == on_hand:
        return
    told = f"the file says {plain(filed.level)}, and {plain(on_hand)} are on hand"
    counts = seen.counts.levels.get(key, NO_COUNTS)
    if any(count.level == filed.level for count in counts.waiting):
        yield _of(seen, key, "count_waits", "wait", f"{told}: its count is not decided yet")
    elif in_table is None:
        yield _of(
            seen,
            key,
            "count_missing",
            "publish",
            f"the file says {plain(filed.level)}; no count came yet: publish it",
        )
    elif filed.version is not None and in_table.version is not None and filed.version < in_table.version:
        text = f"{told}: the file's version {filed.version} is older than {in_table.version}"
        yield _of(seen, key, "file_older", "none", text)
    elif ZERO < on_hand - filed.level <= _uncounted(seen, in_table):
        text = f"{told}: so many went out, or were taken over, and the next count shows it"
        yield _of(seen, key, "awaits_count", "wait", text)
    else:
        yield _of(seen, key, "count_missing", "publish", f"{told}: no count of that came")


def _uncounted(seen: Seen, in_table: Level) -> Decimal:
    """Return how many pieces the point of sale may have taken off its level before it counts them."""
    taken = in_table.awaiting or ZERO
    if seen.link is not None and seen.link.levels_include_open_orders:
        taken += in_table.allocated  # by receiving the sales, which it has not acknowledged yet
    return taken


def _rows(seen: Seen, key: LevelKey, ledger: LedgerOf | None) -> Iterator[Difference]:
    """Yield where Postgres has not what it has written: exactly what lies before its offsets."""
    row = seen.rows.levels.get(key)
    if ledger is None:
        if row is not None and seen.whole:
            text = f"Postgres has the level at revision {row.revision}, and no movement speaks of it"
            yield _of(seen, key, "row_unknown", "replay", text)
        return
    if ledger.written is None:
        if row is not None and seen.whole:
            text = f"Postgres has the level at revision {row.revision}, of which it has written no movement"
            yield _of(seen, key, "row_unknown", "replay", text)
        return
    revision, after = ledger.written
    if row is None:
        yield _of(
            seen, key, "row_missing", "replay", f"Postgres has no level, which is at revision {revision}"
        )
        return
    has = Standing(row.on_hand, row.allocated, row.awaiting)
    if (row.revision, has) != (revision, after):
        text = f"Postgres has {has} at revision {row.revision}; due are {after} at revision {revision}"
        yield _of(seen, key, "row_differs", "replay", text)
    rows = seen.rows.movements.get(key, 0)
    if rows != ledger.due:
        text = f"Postgres has {rows} movements, and {ledger.due} are due"
        yield _of(seen, key, "movement_rows_differ", "replay", text)


def _sales(seen: Seen) -> Iterator[Difference]:
    rows, sold = seen.rows, seen.sold
    for sale_id, order_id, first, last in sold.missing:
        text = f"revisions {first} to {last} of the sale are not on the topic"
        yield Difference(
            cause="revisions_missing", remedy="look", text=text, sale_id=sale_id, order_id=order_id
        )
    for own_id, due in sold.written.items():
        row = rows.sales.get(own_id)
        if row is not None and row.revision == due.revision:
            continue
        has = "no row" if row is None else f"revision {row.revision}"
        text = f"Postgres has {has} of the sale; revision {due.revision} (sales@{due.offset}) is due"
        cause: Cause = "sale_missing" if row is None else "sale_differs"
        remedy: Remedy = "replay"
        if (seen.sales_topic, due.offset) in rows.refused:
            cause, remedy, text = "sale_refused", "dlq", f"{text}, and could not be a row: a dead letter"
        yield Difference(cause=cause, remedy=remedy, text=text, sale_id=own_id, order_id=due.order_id)
    for name, row in rows.sales.items():
        if row.looked_at and name not in sold.written:
            text = f"Postgres has the sale at revision {row.revision}, of which it has written no event"
            yield Difference(
                cause="sale_unknown", remedy="replay", text=text, sale_id=name, order_id=row.order_id
            )


def _of(seen: Seen, key: LevelKey, cause: Cause, remedy: Remedy, text: str) -> Difference:
    row = seen.rows.levels.get(key)
    ledger = seen.ledgers.get(key)
    sku = seen.table.sku(key[0]) or (ledger.sku if ledger else "") or (row.sku if row else "")
    return Difference(
        cause=cause, remedy=remedy, text=text, product_id=key[0], outlet_id=key[1], sku=sku or None
    )


def _about(_: Seen, cause: Cause, remedy: Remedy, text: str) -> Difference:
    return Difference(cause=cause, remedy=remedy, text=text)
