"""Where a partition starts: an explicit offset for every one, or a refusal; never a silent reset."""

from collections.abc import Mapping
from typing import NamedTuple

from faust.types import TP

from streams.runtime.errors import PositionError


class LogRange(NamedTuple):
    """First offset that a partition's log still has, and the one after the last readable."""

    start: int
    end: int


def start_position(tp: TP, wanted: int | None, log: LogRange, keeper: str, remedy: str) -> int:
    """The offset to start `tp` at: `wanted`, else the earliest.

    `keeper` names who remembers the position, `remedy` what to do when the log does not have it.
    Raises `PositionError` when `wanted` is below the log's start or beyond its end.
    """
    if wanted is None:
        return log.start
    if wanted < log.start:
        raise PositionError(
            f"{keeper} wants offset {wanted} of {tp.topic} partition {tp.partition}, but the log begins at"
            f" {log.start} (and ends at {log.end}): {log.start - wanted} offsets were deleted unread."
            f" {remedy}"
        )
    if wanted > log.end:
        raise PositionError(
            f"{keeper} wants offset {wanted} of {tp.topic} partition {tp.partition}, but the log ends at"
            f" {log.end} (and begins at {log.start}): the topic was made anew, or this is another cluster."
            f" {remedy}"
        )
    return wanted


class Start(NamedTuple):
    """Where partitions start, and those of them that have something to read there."""

    positions: dict[TP, int]
    behind: frozenset[TP]


def start_positions(
    wanted: Mapping[TP, int | None], logs: Mapping[TP, LogRange], keeper: str, remedy: str
) -> Start:
    """`start_position` for many partitions."""
    positions = {tp: start_position(tp, offset, logs[tp], keeper, remedy) for tp, offset in wanted.items()}
    return Start(positions, frozenset(tp for tp, offset in positions.items() if offset < logs[tp].end))
