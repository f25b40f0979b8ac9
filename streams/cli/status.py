"""`tillstream status`: whether the local stack runs, how far the pipeline is, and what needs a person."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import panels
from streams.cli.exits import Exit
from streams.cli.history import PIPE_WIDTH
from streams.cli.stack import DataDir, describe, local_status

if TYPE_CHECKING:
    from deploy.local.stack import Status
    from streams.watch.judgement import Limits
    from streams.watch.seen import Pipeline, Wrong


Workers = Annotated[
    list[str] | None,
    typer.Option(
        "--worker",
        metavar="HOST:PORT",
        help="Ask this worker, too; those on this machine are found.",
        show_default=False,
    ),
]

_EPILOG = """
**Examples**

    tillstream status                              one look

    tillstream status --watch                      look again and again, until Ctrl-C

    tillstream status --all                        every partition, also those with nothing to tell

    tillstream status --json                       for scripts: everything, and `wrong`

    tillstream status --worker 10.0.0.7:9640       ask a worker on another machine, too

Exit codes: 0 nothing is wrong; 3 something needs a person (it says what, and what to do), or the local stack
does not run; 2 the command line is wrong.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", rich_help_panel=panels.OPERATE, epilog=_EPILOG)(_status)


def _status(
    context: typer.Context,
    data_dir: DataDir = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Look again and again, until Ctrl-C; with --json a line each time."),
    ] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.2, help="Seconds between two looks of --watch.")
    ] = 2.0,
    everything: Annotated[
        bool, typer.Option("--all", help="Every partition and table, also those with nothing to tell.")
    ] = False,
    lag: Annotated[
        float, typer.Option("--lag", min=0.0, help="Seconds from which on a lag needs a person.")
    ] = 60.0,
    recovering: Annotated[
        float, typer.Option("--recovering", min=0.0, help="Seconds from which on a recovery needs a person.")
    ] = 120.0,
    letters: Annotated[
        int,
        typer.Option("--letters", min=1, help="From so many dead letters on they need a person."),
    ] = 1,
    worker: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how far the pipeline is and what needs a person.

    Per group, topic and partition: how many offsets and seconds it is behind, its committed offset, and
    Postgres' own; the workers, tables, dead letters and open exceptions. A part that does not answer is
    named, and the others are shown. First comes the local stack, if that is what the settings mean.
    """
    from streams.watch.judgement import Limits

    limits = Limits(lag_s=lag, recovering_s=recovering, letters=letters)
    source = context.get_parameter_source("data_dir")
    look = _Look(data_dir, source is not None and source.name == "COMMANDLINE", worker or [], limits)
    if watch:
        _watch(look, interval, everything, as_json)
        return
    seen = asyncio.run(look.take())
    if as_json:
        typer.echo(seen.to_json())
    else:
        _print(seen, everything)
    if not seen.well:
        raise typer.Exit(Exit.FOUND)


class _Seen:
    """One look: the local stack if it is what the settings mean, the pipeline if it can be asked."""

    def __init__(self, stack: Status | None, pipeline: Pipeline | None, wrong: list[Wrong]) -> None:
        self.stack = stack
        self.pipeline = pipeline
        self.wrong = wrong

    @property
    def well(self) -> bool:
        return (self.stack is None or self.stack.running) and not self.wrong

    def to_json(self) -> str:
        import msgspec

        parts: dict[str, Any] = {}
        if self.stack is not None:
            parts = msgspec.to_builtins(self.stack)
        answer = {**parts, "well": self.well, "wrong": self.wrong, "pipeline": self.pipeline}
        return msgspec.json.encode(answer).decode()


class _Look:
    """Looks; every time anew, for addresses may change."""

    def __init__(self, data_dir: Path | None, named: bool, workers: list[str], limits: Limits) -> None:
        self._data_dir = data_dir
        self._named = named
        self._workers = workers
        self._limits = limits

    async def take(self) -> _Seen:
        from streams.settings import KafkaSettings, load_settings
        from streams.watch.judgement import judge
        from streams.watch.pipeline import look

        settings = load_settings(data_dir=self._data_dir)
        stack = None
        # An installation that is told where Kafka is does not mean the local stack, unless that is named.
        local = not KafkaSettings().servers()
        if local or self._named:
            stack = await asyncio.to_thread(local_status, self._data_dir)
            if stack is not None and local and not any(part.running for part in stack.parts):
                return _Seen(stack, None, [])
        pipeline = await look(settings, self._workers)
        return _Seen(stack, pipeline, judge(pipeline, self._limits))


def _print(seen: _Seen, everything: bool) -> None:
    from streams.cli.status_view import view

    if seen.stack is not None:
        describe(seen.stack, "running" if seen.stack.running else _not_running(seen.stack))
    if seen.pipeline is not None:
        from rich.console import Console

        if seen.stack is not None:
            typer.echo("")
        console = Console(highlight=False)
        width = console.width if console.is_terminal else PIPE_WIDTH
        Console(highlight=False, width=width).print(view(seen.pipeline, seen.wrong, everything))


def _not_running(stack: Status) -> str:
    down = [part.name for part in stack.parts if not part.running]
    what = "not running" if len(down) == len(stack.parts) else f"{', '.join(down)} does not run"
    return f"{what}; `tillstream up` starts it"


def _watch(look: _Look, interval: float, everything: bool, as_json: bool) -> None:
    try:
        asyncio.run(_watch_json(look, interval) if as_json else _watch_live(look, interval, everything))
    except KeyboardInterrupt:
        return


async def _watch_json(look: _Look, interval: float) -> None:
    while True:
        began = time.monotonic()
        typer.echo((await look.take()).to_json())
        await asyncio.sleep(max(0.0, interval - (time.monotonic() - began)))


async def _watch_live(look: _Look, interval: float, everything: bool) -> None:
    from rich.live import Live
    from rich.text import Text

    from streams.cli.status_view import view

    with Live(Text("looking …"), auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            began = time.monotonic()
            seen = await look.take()
            if seen.pipeline is None:
                shown: Any = Text("the local stack does not run; `tillstream up` starts it")
            else:
                shown = view(seen.pipeline, seen.wrong, everything)
            live.update(shown, refresh=True)
            await asyncio.sleep(max(0.0, interval - (time.monotonic() - began)))
