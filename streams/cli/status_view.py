"""How `tillstream status` looks on a screen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.watch.seen import KindSeen, Pipeline, Position, Wrong

_COLOURS = {"running": "green", "dead": "red"}


def view(seen: Pipeline, wrong: Sequence[Wrong], everything: bool = False) -> RenderableType:
    """Draw a pipeline; `everything`: also what has nothing to tell."""
    parts: list[RenderableType] = []
    if not seen.set_up:
        parts.append(Text("Nothing is set up here yet: `tillstream topics create`, `tillstream db migrate`"))
    elif seen.kinds:
        tables = (_positions(seen, everything), _tables(seen, everything), _history_tables(seen, everything))
        parts += [_kinds(seen), *(table for table in tables if table.row_count)]
    if seen.set_up:
        parts.append(_needs(seen))
    parts.append(_verdict(wrong))
    return Group(*parts)


def _kinds(seen: Pipeline) -> Table:
    table = _table("worker", "state", "members", "partitions", "behind", "oldest unread", "last unit")
    for kind in seen.kinds:
        positions = [one for one in seen.positions if one.group == kind.group.name]
        partitions = {one.partition for one in positions}
        table.add_row(
            kind.kind,
            Text(kind.state, _COLOURS.get(kind.state, "yellow")),
            str(len(kind.group.members)),
            f"{len(partitions) - len(kind.unowned)} of {len(partitions)}",
            f"{sum(one.lag for one in positions):,}",
            _age(max((one.lag_s for one in positions if one.lag_s is not None), default=0.0)),
            _last(kind),
        )
    return table


def _positions(seen: Pipeline, everything: bool) -> Table:
    table = _table("topic", "read by", "partition", "behind", "oldest unread", "committed", "in Postgres")
    for (group, topic), some in groupby(seen.positions, key=lambda one: (one.group, one.topic)):
        positions = list(some)
        telling = positions if everything else [one for one in positions if one.lag or _differs(one)]
        if not telling:
            ends = sum(one.end - one.start for one in positions)
            if ends:
                table.add_row(topic, group, f"all {len(positions)}", "0", "", "at the end", "")
            continue
        for one in telling:
            table.add_row(
                topic,
                group,
                str(one.partition),
                f"{one.lag:,}",
                "?" if one.lag_s is None else _age(one.lag_s),
                _offset(one.committed),
                "" if one.written is None else _offset(one.written),
            )
    return table


def _differs(one: Position) -> bool:
    return one.written is not None and not one.start <= one.written <= one.end


def _tables(seen: Pipeline, everything: bool) -> Table:
    table = _table("table", "rows", "of them on disk", "changelog records")
    for one in seen.tables:
        if everything or one.rows or one.changelog_records:
            table.add_row(one.table, _count(one.rows), _count(one.on_disk), f"{one.changelog_records:,}")
    return table


def _history_tables(seen: Pipeline, everything: bool) -> Table:
    table = _table("in Postgres", "rows about", "size")
    for one in seen.history_tables:
        if everything or one.rows:
            table.add_row(one.table, f"{one.rows:,}", _bytes(one.bytes))
    return table


def _needs(seen: Pipeline) -> Table:
    table = _table("what needs a person", "", "")
    if seen.database_bytes is None:
        table.add_row("dead letters", "?", "Postgres knows")
        table.add_row("exceptions", "?", "")
        return table
    letters = seen.letters
    table.add_row(
        "dead letters",
        f"{sum(one.open for one in letters):,} open",
        f"{sum(one.last_day for one in letters):,} in 24 h, {sum(one.total for one in letters):,} in all"
        + _listed((one.reason, one.open) for one in letters if one.open),
    )
    exceptions = seen.exceptions
    table.add_row(
        "exceptions", f"{sum(exceptions.values()):,} open", _listed(exceptions.items()).lstrip(": ")
    )
    if (replay := seen.replay) is not None:
        share = replay.offsets_done / replay.offsets_due if replay.offsets_due else 1.0
        told = f"{share:.0%} of {replay.offsets_due:,} offsets; `tillstream replay status`"
        table.add_row(f"replay {replay.replay_id}", replay.state, told)
    table.add_row("database", _bytes(seen.database_bytes), "")
    return table


def _verdict(wrong: Sequence[Wrong]) -> RenderableType:
    if not wrong:
        return Text("Nothing is wrong.", "green")
    lines = [Text(f"{len(wrong)} thing(s) need a person:", "bold red")]
    for one in wrong:
        lines.append(Text.assemble(("  * ", "red"), one.what, f" ({one.where})"))
        lines.append(Text(f"    {one.remedy}", "dim"))
    return Group(*lines)


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in counts)
    return f": {shown}" if shown else ""


def _last(kind: KindSeen) -> str:
    if not kind.last_unit:
        return "?"
    return f"{_age(max(0.0, time.time() - max(kind.last_unit.values())))} ago"


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def _bytes(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB" if size < 1 << 30 else f"{size / (1 << 30):,.2f} GiB"


def _offset(offset: int | None) -> str:
    return "none" if offset is None else str(offset)


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _table(*headings: str) -> Table:
    from rich import box

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    options: dict[str, Any] = {"overflow": "fold"}
    for heading in headings:
        table.add_column(heading, **options)
    return table
