"""What of a pipeline's state needs a person."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from streams.watch.seen import KindSeen, Pipeline, Position, Wrong

_REFUSED = "`tillstream dlq list` shows them, `dlq redrive` sends them again, `dlq discard` sets them aside"


class Limits(msgspec.Struct, frozen=True):
    """From when on something is wrong."""

    lag_s: float = 60.0
    recovering_s: float = 120.0
    letters: int = 1
    """So many dead letters that nobody has dealt with."""


def judge(seen: Pipeline, limits: Limits) -> list[Wrong]:
    """Return what is wrong, the worst first. Where nothing was set up, nothing of it can be wrong."""
    silent = [
        Wrong(
            f"{one.part} does not answer" if not one.answers else f"{one.part} is not ready",
            one.what,
            one.remedy,
        )
        for one in seen.silent
        if seen.set_up or not one.answers
    ]
    if not seen.set_up:
        return silent
    return [
        *silent,
        *_missing(seen),
        *_headless(seen),
        *judge_groups(seen, limits),
        *judge_offsets(seen),
        *_lag(seen, limits),
        *_letters(seen, limits),
    ]


def judge_groups(seen: Pipeline, limits: Limits) -> list[Wrong]:
    """Return what is wrong with the workers."""
    return [wrong for kind in seen.kinds for wrong in _kind(kind, seen, limits)] if seen.set_up else []


def judge_offsets(seen: Pipeline) -> list[Wrong]:
    """Return which offsets are not on the log."""
    return [wrong for position in seen.positions for wrong in _position(position)]


def _missing(seen: Pipeline) -> Iterator[Wrong]:
    if seen.missing:
        yield Wrong("topics are missing", ", ".join(seen.missing), "`tillstream topics create` makes them")


def _headless(seen: Pipeline) -> Iterator[Wrong]:
    if seen.headless:
        where = ", ".join(seen.headless)
        yield Wrong(f"{len(seen.headless)} partition(s) have no leader", where, "see the runbook broker-down")


def _kind(kind: KindSeen, seen: Pipeline, limits: Limits) -> Iterator[Wrong]:
    start = f"start `tillstream worker {kind.kind}`"
    if not kind.group.members:
        yield Wrong(f"no {kind.kind} worker runs", f"group {kind.group.name}", start)
    elif kind.unowned and kind.group.state == "Stable":
        numbers = ", ".join(map(str, kind.unowned))
        yield Wrong(
            f"nobody works on {len(kind.unowned)} partition(s) of {kind.kind}", f"partitions {numbers}", start
        )
    for worker in seen.workers:
        if worker.app_id != kind.group.name:
            continue
        where = f"{worker.member} at {worker.address}"
        if worker.state == "dead":
            yield Wrong(f"a {kind.kind} worker is dead: {worker.reason}", where, start)
        elif not worker.live:
            remedy = f"end its process {worker.pid}; its supervisor starts it again"
            yield Wrong(f"a {kind.kind} worker hangs", where, remedy)
        elif worker.trouble:
            yield Wrong(worker.trouble, where, "see the runbook postgres-down; nothing is lost")
        elif worker.state == "recovering" and seen.at - worker.since > limits.recovering_s:
            yield Wrong(
                f"a {kind.kind} worker is recovering for {seen.at - worker.since:.0f} s",
                where,
                "see the runbook recovering-long",
            )


def _position(position: Position) -> Iterator[Wrong]:
    where = f"{position.topic}/{position.partition}"
    at = position.written if position.written is not None else position.committed
    if at is None:
        return
    whose = "Postgres" if position.written is not None else f"group {position.group}"
    if at < position.start:
        yield Wrong(
            f"{whose} wants offset {at}, and the log begins at {position.start}:"
            f" {position.start - at} offsets were removed unread",
            where,
            "restore a newer backup, or see the runbook rebuild-history",
        )
    elif at > position.end:
        yield Wrong(
            f"{whose} stands at {at}, beyond the log's end {position.end}",
            where,
            "was the topic made anew? Restore it, or see the runbook rebuild-history",
        )


def _lag(seen: Pipeline, limits: Limits) -> Iterator[Wrong]:
    for group in dict.fromkeys(position.group for position in seen.positions):
        late = [
            position
            for position in seen.positions
            if position.group == group and position.lag_s is not None and position.lag_s > limits.lag_s
        ]
        if late:
            worst = max(late, key=lambda position: position.lag_s or 0.0)
            yield Wrong(
                f"{group} is {worst.lag_s:.0f} s behind: {sum(one.lag for one in late)} offsets in"
                f" {len(late)} partition(s)",
                f"most in {worst.topic}/{worst.partition}",
                "see the runbook lag-grows",
            )


def _letters(seen: Pipeline, limits: Limits) -> Iterator[Wrong]:
    count = sum(one.open for one in seen.letters)
    if count >= limits.letters:
        reasons = ", ".join(f"{one.reason} {one.open}" for one in seen.letters if one.open)
        yield Wrong(f"{count} dead letter(s) that nobody has dealt with", reasons, _REFUSED)
