"""How far a run of chaos is, and its sum, on a terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from deploy.chaos.plan import Round
from deploy.chaos.result import Result, Spread
from deploy.chaos.run import Progress as Standing


class View:
    """A bar over all orders; on something that is no terminal, a line at each change of what is going on."""

    def __init__(self, console: Console, orders: int) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} orders written"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=orders)
        self._told: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, now: Standing) -> None:
        """Draw how far it is."""
        where = f"round {now.round} of {now.rounds}: {now.phase}"
        self._bar.update(self._task, completed=now.written, description=where)
        told = (now.round, now.phase, now.under_way)
        if told == self._told:
            return
        for fault in now.under_way:
            if not self._told or fault not in self._told[2]:  # type: ignore[operator]  # they are the faults
                self._say(f"  {fault}")
        if told[:2] != self._told[:2]:
            self._say(
                f"{where}; {now.published:,} published, {now.decided:,} decided, {now.written:,} written"
            )
        self._told = told

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def planned(rounds: tuple[Round, ...]) -> str:
    """Return the plan in words."""
    lines = []
    for number, faults in enumerate(rounds, start=1):
        lines.append(f"round {number}")
        lines += [f"  {fault}" for fault in faults]
    return "\n".join(lines)


def summary(result: Result) -> Table:
    """Lay out the sum."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    rows = [
        ("seed", str(result.seed)),
        ("rounds", str(result.rounds)),
        ("faults", str(sum(result.faults.values()))),
        *((f"  {kind}", str(count)) for kind, count in sorted(result.faults.items())),
        ("orders published", f"{result.orders:,}"),
        ("sales in Postgres", f"{result.sales:,}"),
        ("records read back", f"{result.records:,}"),
        ("lost", str(result.lost)),
        ("duplicated", str(result.duplicated)),
        ("out of order", str(result.out_of_order)),
        ("torn decisions", str(result.torn)),
        ("gaps between revisions", str(result.gaps)),
        ("oversold", str(result.oversold)),
        ("sums that do not come out", str(result.unequal)),
        ("wrong in the shop", str(result.lives_wrong)),
        ("tables unlike movements", str(result.tables_unlike_movements)),
        ("Postgres unlike topics", str(result.postgres_unlike_topics)),
        ("dead letters", str(result.dead_letters)),
        ("taken over by another worker, p50 / p99", _spread(result.take_over_ms)),
        ("gone on with after a start at once, p50 / p99", _spread(result.back_ms)),
        ("seconds", f"{result.seconds:.0f}"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _spread(spread: Spread | None) -> str:
    return "-" if spread is None else f"{spread.p50:,.0f} / {spread.p99:,.0f} ms (of {spread.count})"
