"""What the checks found: how many of each kind, and what the first ones are."""

from collections import Counter
from typing import Literal, get_args

import msgspec

Kind = Literal[
    "missing",
    "duplicates",
    "out_of_order",
    "torn",
    "gaps",
    "oversold",
    "unequal",
    "lives_wrong",
    "tables_unlike_movements",
    "postgres_unlike_topics",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
SHOWN = 5


class Wrongs(msgspec.Struct, frozen=True, kw_only=True):
    """How much was found of each kind; all of it is 0 when the promise was kept.

    `missing`: published orders without a sale, and returns that were told and are in no sale. `duplicates`:
    events, sales or returns that are there twice. `out_of_order`: orders decided before one of the same store
    that was published earlier. `torn`: decisions of which not all is there, such as a sale without its
    fulfilments, refunds or movements. `gaps`: revisions that do not follow the one before. `oversold`: pieces
    promised beyond a level without the backordered flag. `unequal`: sums that do not come out, such as a
    level and what its sales hold, or the last count. `lives_wrong`: sales that are not what the point of sale
    told of them. `tables_unlike_movements`: rows of the worker's own tables that are not what its events say.
    `postgres_unlike_topics`: rows that are missing, twice, or not what their event says.
    """

    missing: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    torn: int = 0
    gaps: int = 0
    oversold: int = 0
    unequal: int = 0
    lives_wrong: int = 0
    tables_unlike_movements: int = 0
    postgres_unlike_topics: int = 0

    @property
    def none(self) -> bool:
        """Whether nothing was found."""
        return not any(getattr(self, kind) for kind in KINDS)


class Findings:
    """Counts by kind, and the words of the first SHOWN of each: what is wrong, with its value, and where."""

    def __init__(self) -> None:
        self.counts: Counter[Kind] = Counter()
        self.texts: list[str] = []
        self._texts: Counter[Kind] = Counter()

    def add(self, kind: Kind, text: str, count: int = 1) -> None:
        """Note a fault that counts as so many; a count of 0 is none."""
        if count <= 0:
            return
        self.counts[kind] += count
        self._texts[kind] += 1
        if self._texts[kind] <= SHOWN:
            self.texts.append(f"{kind.replace('_', ' ')}: {text}")
