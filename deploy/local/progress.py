"""Where the stack tells what it is doing: a terminal, or nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console


class Reporter(Protocol):
    """Receives one-line messages and download progress; called from several threads."""

    def say(self, text: str) -> None: ...

    def downloading(self, what: str, size: int) -> AbstractContextManager[Callable[[int], None]]:
        """Open a bar of `size` bytes; the yielded function is called with each number of bytes that came."""
        ...


class Silent:
    """Says nothing: for tests and `--json`."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def downloading(self, what: str, size: int) -> Iterator[Callable[[int], None]]:
        yield lambda count: None


class Terminal:
    """Writes to standard error, so that standard output stays clean for what was asked."""

    def __init__(self, console: Console | None = None) -> None:
        # Imported late, here and below: looking at a stack's state should not wait for rich.
        from rich.console import Console  # noqa: PLC0415

        self.console = console or Console(stderr=True)

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def downloading(self, what: str, size: int) -> Iterator[Callable[[int], None]]:
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        if not self.console.is_terminal:
            self.say(f"Downloading {what} ({size / 1_000_000:.0f} MB) …")
            yield lambda count: None
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(f"Downloading {what}", total=size)
            yield lambda count: bars.advance(task, count)
