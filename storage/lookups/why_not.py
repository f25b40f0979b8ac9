"""Whether the movements of a level add up to it, and in words what does not."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Self

import msgspec

from storage.lookups.answer import Answer, quantity


class Standing(Answer, frozen=True, kw_only=True):
    """What a level stands at, or changes by."""

    on_hand: Decimal
    allocated: Decimal
    awaiting: Decimal

    @classmethod
    def of(cls, numbers: Iterable[Decimal]) -> Self:
        on_hand, allocated, awaiting = numbers
        return cls(on_hand=on_hand, allocated=allocated, awaiting=awaiting)

    def plus(self, change: "Standing") -> "Standing":
        return Standing(
            on_hand=self.on_hand + change.on_hand,
            allocated=self.allocated + change.allocated,
            awaiting=self.awaiting + change.awaiting,
        )

    def less(self, change: "Standing") -> "Standing":
        return Standing(
            on_hand=self.on_hand - change.on_hand,
            allocated=self.allocated - change.allocated,
            awaiting=self.awaiting - change.awaiting,
        )

    def plain(self) -> "Standing":
        """Return the numbers without exponents and superfluous zeros."""
        return Standing.of(quantity(number) for number in (self.on_hand, self.allocated, self.awaiting))

    def __str__(self) -> str:
        plain = self.plain()
        return f"{plain.on_hand} on hand, {plain.allocated} allocated, {plain.awaiting} awaiting count"


class Edge(msgspec.Struct, frozen=True, gc=False):
    """A movement at the edge of a level's story."""

    revision: int
    change: Standing
    after: Standing


class Ledger(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All movements of a level, summed up; `sums_to_correction` are those up to the last correction."""

    first: Edge | None
    last: Edge | None
    corrected: Edge | None
    sums: Standing
    sums_to_correction: Standing

    @property
    def opening(self) -> Standing:
        """What the level was before the first movement that is there."""
        assert self.first is not None
        return self.first.after.less(self.first.change)

    @property
    def made_good(self) -> int:
        """The revision up to which a correction has made good whatever was wrong; 0: none has."""
        corrected = self.corrected
        if corrected is None or self.opening.plus(self.sums_to_correction) != corrected.after:
            return 0
        return corrected.revision


def problems(level: Standing, revision: int, ledger: Ledger, breaks: Sequence[tuple[Any, ...]]) -> list[str]:
    """Say what does not add up; nothing when all does.

    `breaks` are movements that do not go on from the one before, the latest first, as the query has them.
    """
    first, last = ledger.first, ledger.last
    if first is None or last is None:
        return []  # its movements were pruned; if they are lost, only the topic can tell
    found = []
    if first.revision == 1 and ledger.opening != Standing.of((Decimal(0),) * 3):
        found.append(f"its first movement does not begin at nothing, but at {ledger.opening}")
    found += [text for row in reversed(breaks) if row[0] > ledger.made_good for text in _break(row)]
    summed = ledger.opening.plus(ledger.sums)
    if summed != last.after:
        found.append(f"the movements sum up to {summed}, and the last one says {last.after}")
    if revision != last.revision:
        found.append(f"the level is at revision {revision}, and its last movement at {last.revision}")
    if level != last.after:
        found.append(f"the level stands at {level}, and its last movement says {last.after}")
    return found


def _break(row: tuple[Any, ...]) -> Iterable[str]:
    revision, before = row[0], row[1]
    if revision == before:
        yield f"movement {revision} is there twice"
        return
    if revision != before + 1:
        missing = f"{before + 1}" if revision == before + 2 else f"{before + 1} to {revision - 1}"
        yield f"movements are missing: {missing}"
        return
    due = Standing.of(row[2:5]).plus(Standing.of(row[5:8]))
    yield f"movement {revision} leads to {due}, and says {Standing.of(row[8:11])}"
