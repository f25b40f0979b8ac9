"""The demo's live view on a terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from deploy.demo.result import Result, Snapshot
from deploy.verify.seen import SeenSale


class View:
    """Shows snapshots as they come; on something that is no terminal, a line every few seconds."""

    LINE_EVERY_S = 5.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        )
        self._before: Snapshot | None = None
        self._line_at = -self.LINE_EVERY_S
        self._processes: dict[str, int] = {}

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, now: Snapshot) -> None:
        """Draw a snapshot."""
        rate = self._rate(now)
        if now.processes != self._processes:
            self._processes = now.processes
            self._console.print(f"[dim]processes:[/] {_processes(now)}")
        if self._live is not None:
            self._live.update(Group(_numbers(now, rate), _sales(now.last_sales)))
        elif now.elapsed_s - self._line_at >= self.LINE_EVERY_S:
            self._line_at = now.elapsed_s
            self._console.print(
                f"{now.elapsed_s:5.0f} s  {now.phase}: {now.published} published, {now.decided} decided,"
                f" {now.written} written ({rate:.0f}/s), {now.exceptions} exceptions"
            )

    def _rate(self, now: Snapshot) -> float:
        before, self._before = self._before, now
        if before is None or now.elapsed_s <= before.elapsed_s:
            return 0.0
        return (now.written - before.written) / (now.elapsed_s - before.elapsed_s)


def _processes(now: Snapshot) -> str:
    return ", ".join(f"{part} {pid}" for part, pid in sorted(now.processes.items()))


def _numbers(now: Snapshot, rate: float) -> Panel:
    table = Table.grid(padding=(0, 3))
    for _ in range(4):
        table.add_column(justify="left")
    latency = "p50 {:.0f} ms, p99 {:.0f} ms".format(*now.recent_ms) if now.recent_ms else "…"
    restarts = ", ".join(f"{part} {count}" for part, count in sorted(now.restarts.items())) or "none"
    table.add_row("published", f"[bold]{now.published:,}[/]", "written per second", f"[bold]{rate:,.0f}[/]")
    table.add_row("decided", f"[bold]{now.decided:,}[/]", "publish → row", latency)
    table.add_row("in Postgres", f"[bold]{now.written:,}[/]", "exceptions open", f"{now.exceptions:,}")
    table.add_row("lag", f"{max(0, now.wanted - now.written):,}", "dead letters", str(now.dead_letters))
    lives = f"{now.lives - now.under_way:,} of {now.lives:,}"
    table.add_row("dealt with in the shop", lives, "restarted", restarts)
    bar = ProgressBar(total=max(1, now.wanted), completed=now.written)
    return Panel(Group(table, bar), title=f"{now.phase} · {now.elapsed_s:.0f} s", title_align="left")


def _sales(sales: tuple[SeenSale, ...]) -> Table:
    table = Table(title="latest sales", title_justify="left", box=None, header_style="bold", pad_edge=False)
    for heading in ("store", "order", "state", "line → outlet"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for sale in sales:
        lines = ", ".join(
            f"{allocation.quantity.normalize():f} {line.sku} → {allocation.outlet_id}"
            + (" [yellow](backordered)[/]" if allocation.backordered else "")
            for line in sale.lines
            for allocation in line.allocations
        )
        table.add_row(sale.store_id, sale.order_id, sale.state, lines or "[dim]nothing to fulfil[/]")
    return table


def summary(result: Result) -> Table:
    """Lay out the sum at the end."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    rows = [
        ("orders published", f"{result.orders:,}"),
        ("sales in Postgres", f"{result.sales:,}"),
        ("fulfilments", f"{result.fulfillments:,}"),
        ("returns", f"{result.returns:,}"),
        ("refunds", f"{result.refunds:,}"),
        ("missing", str(result.missing)),
        ("duplicates", str(result.duplicates)),
        ("out of order", str(result.out_of_order)),
        ("torn decisions", str(result.torn)),
        ("gaps between revisions", str(result.gaps)),
        ("oversold", str(result.oversold)),
        ("sums that do not come out", str(result.unequal)),
        ("tables unlike movements", str(result.tables_unlike_movements)),
        ("Postgres unlike topics", str(result.postgres_unlike_topics)),
        ("dead letters (one was sent on purpose)", str(result.dead_letters)),
        ("exceptions open", f"{result.exceptions:,}"),
        ("named cases right", f"{result.cases_right} of {len(result.cases)}"),
        ("dealt with in the shop, of them wrong", f"{result.lives_played:,}, {result.lives_wrong}"),
        ("decided per second", f"{result.decided_per_s:,.0f}"),
        ("publish → row, p50 / p99", f"{result.latency_ms.p50:.0f} / {result.latency_ms.p99:.0f} ms"),
    ]
    for row in rows:
        table.add_row(*row)
    for part, count in sorted(result.restarts.items()):
        table.add_row(f"{part} started again", str(count))
    return table


def stories(result: Result) -> Group:
    """Lay out the named cases and lives: right or wrong, and what became of each life."""
    parts: list[RenderableType] = []
    for check in (*result.cases, *result.lives):
        mark = "[green]✔[/]" if check.ok else "[red]✘[/]"
        parts.append(f"{mark} {check.name}  {check.title}")
        if check.revisions:
            parts.append(Padding("[dim] → [/]".join(check.revisions), (0, 0, 0, 4)))
    return Group(*parts)
