"""Draws docs/growth.png from docs/measurements/growth.json: `python -m tests.bench.growth_plot`.

Needs matplotlib: `pip install --group plots`.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import msgspec
from matplotlib import pyplot

from tests.bench.growth import FLAT_WITHIN, RESULT, TENFOLD, Growth

PICTURE = RESULT.parents[1] / "growth.png"
WIDTH = 0.2


def draw(growth: Growth, to: Path) -> None:
    """Draw each cost over the base's, by what grew tenfold."""
    mpl.use("Agg")
    figure, axes = pyplot.subplots(figsize=(8, 4))
    base = growth.costs[0].least
    names = list(growth.ratios)
    for number, process in enumerate(base):
        places = [place + (number - (len(base) - 1) / 2) * WIDTH for place in range(len(names))]
        heights = [growth.ratios[name][process] for name in names]
        axes.bar(places, heights, WIDTH, label=f"{process} ({base[process]:.0f} µs in the base)")
    axes.axhline(1, color="black", linewidth=0.8)
    axes.axhline(
        FLAT_WITHIN, color="red", linewidth=0.8, linestyle="--", label=f"aim: within {FLAT_WITHIN:g}"
    )
    axes.set_xticks(range(len(names)), [f"{name} x {TENFOLD}" for name in names])
    axes.set_ylabel("CPU per order, over the base's")
    axes.set_ylim(0, max(1.5, *(max(ratios.values()) for ratios in growth.ratios.values())) + 0.3)
    axes.legend(loc="upper left", ncols=2, fontsize="small")
    figure.tight_layout()
    figure.savefig(to, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULT
    draw(msgspec.json.decode(source.read_bytes(), type=Growth), PICTURE)
