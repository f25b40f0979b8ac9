"""Two histories in the figures of the business: money and quantities, by day and by outlet."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from storage.queries import query
from storage.replay.compared import Compared, Side
from storage.schema import LONG_S

_BY_DAY = ("sales", "sale_lines", "sale_payments", "refunds", "stock_movements")
_BY_OUTLET = ("fulfillments", "fulfillment_lines", "refunds", "stock_movements", "stock_levels")
GROUPS = {"day": _BY_DAY, "outlet": _BY_OUTLET}
"""By what figures can be compared, and the tables that they are of."""

Figures = dict[tuple[str, str, str], Decimal]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A sum on both sides; `unit` is the currency of money, else empty; exact."""

    group: str
    name: str
    unit: str
    live: Decimal
    shadow: Decimal

    @property
    def same(self) -> bool:
        """Whether both sides say the same."""
        return self.live == self.shadow


async def measure(connection: Any, side: Side, by: str, known: Mapping[str, Compared]) -> Figures:
    """Return a side's sums by (day or outlet, name, unit)."""
    rows = await connection.fetch(
        f"{side.views(GROUPS[by], known)} {query(f'replay.figures_by_{by}')}", *side.arguments, timeout=LONG_S
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def figures(live: Figures, shadow: Figures) -> list[Figure]:
    """Return both sides' sums side by side, in order."""
    nothing = Decimal(0)
    return [
        Figure(
            group=key[0],
            name=key[1],
            unit=key[2],
            live=live.get(key, nothing),
            shadow=shadow.get(key, nothing),
        )
        for key in sorted(live.keys() | shadow.keys())
    ]


def totals(all_figures: list[Figure]) -> list[Figure]:
    """Return the sums over all groups."""
    sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for one in all_figures:
        live, shadow = sums.get((one.name, one.unit), (Decimal(0), Decimal(0)))
        sums[one.name, one.unit] = (live + one.live, shadow + one.shadow)
    return [
        Figure(group="", name=name, unit=unit, live=live, shadow=shadow)
        for (name, unit), (live, shadow) in sorted(sums.items())
    ]
