"""How `tillstream bench` tells how far it is, and what it found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from rich.table import Table

from streams.cli.progress import bar

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.bench.report import Figure, Measured, Report


class Steps:
    """One line for each step that is done, and a bar for the one that is going on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = bar(console)
        self._task: Any = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, what: str, due: int | None = None) -> None:
        """Begin the next step."""
        self._console.print(f"{time.strftime('%H:%M:%S')} {what}", highlight=False)
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(what, total=due)

    def at(self, done: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=done)


def tables(report: Report) -> Iterator[Table | str]:
    """Yield what to print: ratios first."""
    if report.ratios:
        table = _table("ratio", "compared with", "figure", "own CPU")
        for one in report.ratios:
            cpu = "" if one.own_cpu is None else f"{one.own_cpu:.2f}"
            table.add_row(one.name, one.to, f"{one.value:.2f}", cpu)
        yield table
    table = _table("measured", "by", "figure", "µs of CPU for each")
    for measured in report.measured:
        _add(table, measured)
    yield table
    machine = report.machine
    yield f"{machine.cpus} cores ({machine.processor}), Python {machine.python}, load {machine.load} before"


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number == 2 else "left")
    return table


def _add(table: Table, measured: Measured) -> None:
    name = measured.name
    for who, figure in {"Tillstream": measured.figure, **measured.beside}.items():
        table.add_row(name, who, f"{figure.value:,.0f} {measured.unit}", _cpu(figure))
        name = ""


def _cpu(figure: Figure) -> str:
    return ", ".join(f"{name} {used:,.1f}" for name, used in figure.cpu_us.items())
