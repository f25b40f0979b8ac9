"""What a terminal shows while a command reads or writes for long: how far it is, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.progress import Progress

if TYPE_CHECKING:
    from rich import progress as rich_progress
    from rich.console import Console


class _Bar(Progress):
    def __init__(self, shown: rich_progress.Progress, what: str) -> None:
        self._shown = shown
        self._what = what
        self._task = shown.add_task(what, total=None)
        self._due = 0

    def expect(self, count: int) -> None:
        self._due += count
        self._shown.update(self._task, total=self._due)

    def advance(self, count: int, what: str = "") -> None:
        self._shown.update(self._task, advance=count, description=f"{self._what} {what}".rstrip())


def bar(console: Console) -> rich_progress.Progress:
    """Return a bar that only a terminal shows: done, due, how long it has taken and may still take."""
    from rich import progress as rich

    return rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """Show on standard error, if that is a terminal, how much is done and for how long it may still take."""
    from rich.console import Console

    with bar(Console(stderr=True)) as shown:
        yield _Bar(shown, what)
