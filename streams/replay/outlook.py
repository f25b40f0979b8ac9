"""What a replay would take, and what it would change: estimated by samples, or counted by a scan."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from storage.operations import replays
from storage.operations.replays import Gap
from storage.progress import Place, Span
from storage.queries import query
from storage.replay import shadow
from storage.replay.compared import Side, tables
from storage.replay.scope import Scope
from storage.replay.shadow import SHADOW
from storage.schema import HISTORY, LONG_S
from streams.replay.desk import Desk
from streams.replay.plan import Plan
from streams.replay.run import Tell, silent
from streams.replay.sieve import sieve

OFFSETS_PER_S = 10_000.0
"""As long as no replay of this installation has shown how fast it is."""
_SAMPLE = 200


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a partition: offsets from `begin` up to, and without, `end`.

    `records` and `size` (bytes) are exact after a scan, else records are at most so many and the size about.
    """

    topic: str
    partition: int
    begin: int
    end: int
    log_begin: int
    log_end: int
    records: int
    size: int


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table: what the live history has, and what the log says; None: not known."""

    table: str
    live: int | None
    log: int | None


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes; `exact` says whether all was read; `disk` is what the shadow may need, about."""

    scope: Scope
    exact: bool
    parts: list[Part]
    gaps: tuple[Gap, ...]
    records: int
    size: int
    seconds: float
    disk: int
    rows: list[Rows]


class Counted(msgspec.Struct):
    """What a scan found in a partition."""

    records: int = 0
    size: int = 0


async def outlook(desk: Desk, plan: Plan, *, exact: bool = False, tell: Tell = silent) -> Outlook:
    """Say what a plan would take; `exact` reads all of it, and writes nothing."""
    told: dict[str, int] | None = None
    if exact:
        counted, told = await _scan(desk, plan, tell)
    else:
        counted = await _estimate(desk, plan.spans)
    parts = []
    for span in plan.spans:
        place = (span.topic, span.partition)
        log, found = plan.log[place], counted[place]
        parts.append(
            Part(
                topic=span.topic,
                partition=span.partition,
                begin=span.begin,
                end=span.end,
                log_begin=log.begin,
                log_end=log.end,
                records=found.records,
                size=found.size,
            )
        )
    live_offsets = sum(end - plan.log[place].begin for place, end in plan.live.items() if place in plan.log)
    disk = await shadow.size(desk.connection, HISTORY)
    records = sum(part.records for part in parts)
    return Outlook(
        scope=plan.scope,
        exact=exact,
        parts=parts,
        gaps=plan.gaps,
        records=records,
        size=sum(part.size for part in parts),
        seconds=round(plan.offsets / await _rate(desk), 1),
        disk=int(disk * min(1.0, records / live_offsets)) if live_offsets else 0,
        rows=await _rows(desk, plan.scope, told),
    )


async def _rate(desk: Desk) -> float:
    for replay in await replays.list_replays(desk.connection):
        if replay.offsets_per_s and replay.busy_s >= 1:
            return replay.offsets_per_s
    return OFFSETS_PER_S


async def _estimate(desk: Desk, spans: Sequence[Span]) -> dict[Place, Counted]:
    sample = []
    for topic in {span.topic for span in spans}:
        longest = max((span for span in spans if span.topic == topic), key=lambda span: span.offsets)
        middle = max(longest.begin, (longest.begin + longest.end) // 2 - _SAMPLE // 2)
        sample.append(Span(*_place(longest), middle, min(longest.end, middle + _SAMPLE)))
    found: defaultdict[str, Counted] = defaultdict(Counted)
    async for pieces in desk.log.read(sample):
        for piece in pieces:
            found[piece.topic].records += len(piece.records)
            found[piece.topic].size += sum(map(_size, piece.records))
    estimate = {}
    for span in spans:
        seen = found[span.topic]
        size = seen.size * span.offsets // seen.records if seen.records else 0
        estimate[_place(span)] = Counted(span.offsets, size)
    return estimate


async def _scan(desk: Desk, plan: Plan, tell: Tell) -> tuple[dict[Place, Counted], dict[str, int]]:
    """Read all of a plan; return what each partition has, and how many rows of which table it would make."""
    found = {_place(span): Counted() for span in plan.spans}
    take, ledger = sieve(plan.scope), _Ledger()
    done = 0
    async for pieces in desk.log.read(plan.spans):
        for piece in pieces:
            counted = found[piece.topic, piece.partition]
            for record in take(piece.records):
                counted.records += 1
                counted.size += _size(record)
                ledger.enter(desk.topic(piece.topic), record.value)
            done += piece.offsets
        tell(done, plan.offsets)
    return found, ledger.rows


class _Ids(msgspec.Struct):
    """What tells the things apart that events are about."""

    sale_id: str | None = None
    fulfillment_id: str | None = None
    refund_id: str | None = None
    store_id: str | None = None
    customer_id: str | None = None
    exception_id: str | None = None
    dead_letter_id: str | None = None
    movements: tuple[msgspec.Raw, ...] = ()


class _Ledger:
    """Which things the log tells of, each counted once."""

    _OF = {  # noqa: RUF012  # never changed
        "sales": ("sales", "sale_id"),
        "fulfillments": ("fulfillments", "fulfillment_id"),
        "refunds": ("refunds", "refund_id"),
        "customers": ("customers", "customer_id"),
        "exceptions": ("exceptions", "exception_id"),
        "dead.letters": ("dead_letters", "dead_letter_id"),
    }

    def __init__(self) -> None:
        self._things: defaultdict[str, set[int]] = defaultdict(set)
        self._movements = 0
        self._decode = msgspec.json.Decoder(_Ids).decode

    def enter(self, topic: str, value: bytes | None) -> None:
        try:
            ids = self._decode(value or b"")
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._things["dead_letters"].add(hash(("not an event", value)))
            return
        if topic == "stock.movements":
            self._movements += len(ids.movements)
            return
        table, name = self._OF[topic]
        # Sixty-four bits of a random hash: of a hundred million ids none may be expected to meet.
        own = getattr(ids, name)
        self._things[table].add(hash((ids.store_id, own) if topic == "customers" else own))

    @property
    def rows(self) -> dict[str, int]:
        """Return the rows of each table that would come of it."""
        tables = {table for table, _ in self._OF.values()}
        return {table: len(self._things[table]) for table in tables} | {"stock_movements": self._movements}


async def _rows(desk: Desk, scope: Scope, told: dict[str, int] | None) -> list[Rows]:
    connection = desk.connection
    live: dict[str, int | None] = {}
    if scope.whole and told is None:
        live = dict(await connection.fetch(query("replay.about_rows"), HISTORY.name))
    elif not scope.bounded:
        known = await tables(connection, HISTORY)
        # What was pruned of the live history the log still has, and the shadow would.
        side = Side(HISTORY, SHADOW, scope, live=True, pruned={})
        for name, table in known.items():
            if scope.order_id is None or "order_id" in table.columns:
                live[name] = await connection.fetchval(
                    f"SELECT count(*) {side.source(table, known)}", *side.arguments, timeout=LONG_S
                )
    names = sorted(live.keys() | (told or {}).keys())
    return [Rows(table=name, live=live.get(name), log=(told or {}).get(name)) for name in names]


def _place(span: Span) -> Place:
    return span.topic, span.partition


def _size(record: Any) -> int:
    return len(record.key or b"") + len(record.value or b"")
