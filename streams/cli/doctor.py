"""`tillstream doctor`: whether all is as it must be, and what to do where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import panels
from streams.cli.exits import Exit
from streams.cli.status import Workers

if TYPE_CHECKING:
    from streams.watch.finding import Finding

_EPILOG = """
**Examples**

    tillstream doctor                        every check, and what to do

    tillstream doctor --json                 for scripts

    tillstream doctor --stalled-after 120    only transactions that are open for two minutes count

It changes nothing. Exit codes: 0 no problem (there may be warnings); 3 a problem, or something that could
not be checked; 2 the command line is wrong.
"""

_MARKS = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "problem": ("PROBLEM", "bold red"),
    "unknown": ("unknown", "magenta"),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", rich_help_panel=panels.OPERATE, epilog=_EPILOG)(_doctor)


def _doctor(
    stalled_after: Annotated[
        float,
        typer.Option(
            "--stalled-after",
            min=0.0,
            metavar="SECONDS",
            help="From when on an open transaction is a problem; workers' own take milliseconds.",
        ),
    ] = 30.0,
    worker: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check brokers, topics, records, offsets, workers, Postgres, clocks and disks; say what to do.

    It reads the last records of every inbound partition to see whether publishers send keys, and put
    records where they belong; a transaction that holds readers back is named with its producer.
    """
    from streams.settings import load_settings
    from streams.watch.doctor import examine
    from streams.watch.finding import Level

    findings = asyncio.run(examine(load_settings(), stalled_s=stalled_after, addresses=worker or []))
    bad = [one for one in findings if one.level in (Level.PROBLEM, Level.UNKNOWN)]
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode({"well": not bad, "findings": findings}).decode())
    else:
        _print(findings, len(bad))
    if bad:
        raise typer.Exit(Exit.FOUND)


def _print(findings: Sequence[Finding], bad: int) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    width = max(len(one.check) for one in findings)
    for one in findings:
        word, colour = _MARKS[one.level]
        console.print(Text.assemble((f"{word:<8}", colour), f"{one.check:<{width}}  {one.found}"))
        if one.level == "ok":
            continue
        for detail in one.details:
            console.print(Text(f"{'':<{width + 10}}{detail}", "dim"))
        console.print(Text(f"{'':<{width + 10}}what to do: {one.remedy}"))
    console.print(Text(f"{bad} problem(s)" if bad else "No problem.", "bold red" if bad else "green"))
