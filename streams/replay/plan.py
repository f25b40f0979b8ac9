"""What a replay would read: spans of the log, and what of them retention has already removed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from storage.operations.replays import Gap
from storage.progress import Place, Span
from storage.replay import shadow
from storage.replay.scope import Scope
from storage.schema import HISTORY
from streams.committed import CommittedLog
from streams.replay.desk import Desk
from streams.replay.errors import RefusedError
from topics.partitions import partition_of
from topics.registry import KEPT_FOR_EVER, topic

# Of a customer there is no order; a letter stands where its record did, which may be another store's place.
_WITHOUT_ORDER = frozenset({"customers"})
_ANYWHERE = frozenset({"dead.letters"})


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`spans` end where the live history stands, or before; `log` is what the log has of each place."""

    scope: Scope
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]
    log: Mapping[Place, Span]
    live: Mapping[Place, int]

    @property
    def offsets(self) -> int:
        """Offsets to go through; records are as many, or fewer: the log has marks of its own."""
        return sum(span.offsets for span in self.spans)


async def make_plan(desk: Desk, scope: Scope) -> Plan:
    """Look at the log and the live history.

    Raises RefusedError when they do not fit each other, or the scope names what there never was.
    """
    live = await shadow.positions(desk.connection, HISTORY, desk.consumer)
    log = await desk.log.ranges(desk.places)
    _check_live(live, log)
    places = _meant(desk, scope)
    begins = dict.fromkeys(places, 0)
    ends = {place: live.get(place, 0) for place in places}
    if scope.since is not None:
        since = await desk.log.at(places, scope.since)
        begins = {place: _or_end(since[place], log[place]) for place in places}
    if scope.until is not None:
        until = await desk.log.at(places, scope.until)
        ends = {place: min(ends[place], _or_end(until[place], log[place])) for place in places}
    for one in scope.offsets:
        place = (desk.settings.worker.topic(one.topic), one.partition)
        _check_offsets(one.begin, one.end, place, log[place])
        begins[place], ends[place] = one.begin, min(ends[place], one.end)
    gaps = await _gaps(desk, begins, log, scope.since)
    spans = []
    for place in places:
        # Where the live history stands nowhere there is nothing to be as far as.
        if place in live:
            begin = max(begins[place], log[place].begin)
            spans.append(Span(*place, begin, max(begin, ends[place])))
    return Plan(scope=scope, spans=tuple(spans), gaps=gaps, log=log, live=live)


def refusal(desk: Desk, scope: Scope, gaps: Sequence[Gap]) -> str:
    """Say what the log no longer has, and what can be done."""
    lines = []
    for gap in gaps:
        kept = topic(desk.topic(gap.topic))
        why = (
            "kept for ever by the registry: somebody deleted records or set a retention"
            if kept.retention_ms == KEPT_FOR_EVER
            else f"kept for {kept.retention_ms // 86_400_000} days"
        )
        since = f", records from {gap.log_time:%Y-%m-%d %H:%M:%S} UTC on" if gap.log_time else ", no record"
        asked = f"offset {gap.begin}" if scope.since is None else f"{scope.since:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(
            f"  {gap.topic} partition {gap.partition}: asked from {asked}, the log begins at offset"
            f" {gap.log_begin}{since} ({why})"
        )
    topics = sorted({desk.topic(gap.topic) for gap in gaps})
    return (
        "The log no longer has all that was asked for:\n"
        + "\n".join(lines)
        + "\nAsk for less (--from, --offsets), or accept that it is not there: "
        + " ".join(f"--accept-gap {name}" for name in topics)
    )


async def up_to(
    desk: Desk, scope: Scope, spans: Sequence[Span], live: Mapping[Place, int] | None = None
) -> list[Span]:
    """Return a replay's spans with their ends where the live history stands: at `live`, None: now.

    Places that the live history has come to since are new among them. A scope with a beginning or an end in
    the log stays as it is.
    """
    if scope.bounded:
        return list(spans)
    if live is None:
        live = await shadow.positions(desk.connection, HISTORY, desk.consumer)
    begins = {(span.topic, span.partition): span.begin for span in spans}
    places = [place for place in _meant(desk, scope) if place in live]
    if new := [place for place in places if place not in begins]:
        begins |= {place: log.begin for place, log in (await desk.log.ranges(new)).items()}
    return [Span(*place, begins[place], max(begins[place], live[place])) for place in places]


def unaccepted(desk: Desk, plan: Plan, accepted: Collection[str]) -> list[Gap]:
    """Return the gaps of topics (named without the prefix) that nobody accepted."""
    return [gap for gap in plan.gaps if desk.topic(gap.topic) not in accepted]


def _meant(desk: Desk, scope: Scope) -> list[Place]:
    if scope.offsets:
        known = set(desk.places)
        asked = [(desk.settings.worker.topic(one.topic), one.partition) for one in scope.offsets]
        for place in asked:
            if place not in known:
                raise RefusedError(
                    f"{place[0]} has no partition {place[1]}, or does not become rows: there are partitions 0"
                    f" to {desk.partitions - 1} of {', '.join(sorted({name for name, _ in known}))}"
                )
        return asked
    places = desk.places
    if scope.store_id is not None:
        own = partition_of(scope.store_id.encode(), desk.partitions)
        places = [place for place in places if place[1] == own or desk.topic(place[0]) in _ANYWHERE]
    if scope.order_id is not None:
        places = [place for place in places if desk.topic(place[0]) not in _WITHOUT_ORDER]
    return places


def _or_end(offset: int | None, log: Span) -> int:
    return log.end if offset is None else offset


def _check_live(live: Mapping[Place, int], log: Mapping[Place, Span]) -> None:
    for place, log_span in log.items():
        if live.get(place, 0) > log_span.end:
            raise RefusedError(
                f"The live history stands at offset {live[place]} of {place[0]} partition {place[1]}, and the"
                f" log ends at {log_span.end}: the topic was made anew, or this is another cluster. A replay"
                " from this log would not be this history; check TILLSTREAM_KAFKA_BOOTSTRAP and"
                " TILLSTREAM_PREFIX"
            )


def _check_offsets(begin: int, end: int, place: Place, log: Span) -> None:
    if end > log.end:
        raise RefusedError(
            f"{place[0]} partition {place[1]}: asked up to offset {end}, and the log ends at {log.end}: ask"
            f" for {begin}-{log.end} at most"
        )


async def _gaps(
    desk: Desk, begins: Mapping[Place, int], log: Mapping[Place, Span], since: datetime | None
) -> tuple[Gap, ...]:
    # By time, a log that still has an older record has all that was asked; else what it lost may be of it.
    doubtful = [
        log[place]
        for place, begin in begins.items()
        if log[place].begin > 0
        and (begin < log[place].begin or (since is not None and begin == log[place].begin))
    ]
    if not doubtful:
        return ()
    times = await _first_times(desk.log, doubtful)
    found = []
    for span in doubtful:
        place = (span.topic, span.partition)
        first = times.get(place)
        if since is not None:
            if first is not None and first <= since:
                continue
            found.append(Gap(*place, 0, span.begin, first))
        else:
            found.append(Gap(*place, begins[place], span.begin, first))
    return tuple(found)


async def _first_times(log: CommittedLog, spans: Collection[Span]) -> dict[Place, datetime]:
    """Return the time of the first record of each span that has one."""
    found: dict[Place, datetime] = {}
    due = {(span.topic, span.partition) for span in spans if span.begin < span.end}
    async for pieces in log.read(spans):
        for piece in pieces:
            if piece.records:
                time = datetime.fromtimestamp(piece.records[0].timestamp / 1000, UTC)
                found.setdefault((piece.topic, piece.partition), time)
        if due <= found.keys():
            break
    return found
