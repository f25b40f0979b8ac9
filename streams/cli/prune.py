"""`tillstream history prune`: months of movements and dead letters that are older than they are of use."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streams.cli import panels
from streams.cli.change import Apply, Who, Why, order
from streams.cli.history import Json, ask, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.growth.month import Held, Kept

history = typer.Typer(no_args_is_help=True, help="The history as a whole: how it grows.")

_AGE = re.compile(r"(\d{1,4})(mo|y)")
_UNITS = {"mo": 1, "y": 12}
EPILOG = """
**Examples**

    tillstream history prune --older-than 24mo

    tillstream history prune --older-than 2y --what dead_letters --apply --why 'kept for two years'

Exit codes: 0 done, or shown; 1 it could not be done; 2 the command line is wrong; 4 another operator is at
work.
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(history, name="history", rich_help_panel=panels.OPERATE)


@history.callback()
def _group() -> None:
    pass


@history.command("prune", epilog=EPILOG)
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="In months or years: 24mo, 2y.")
    ],
    what: Annotated[Literal["movements", "dead_letters", "all"], typer.Option(help="Which of them.")] = "all",
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Drop whole months of stock movements and dead letters that ended so long ago.

    Levels do not change, and the last movement of each level is kept whatever its age; sales, fulfilments,
    refunds and customers are never pruned. The workers may go on meanwhile. The log still has the movements:
    a replay of all history brings them back.
    """
    from storage.growth.month import KEPT

    before = _limit(older_than)
    kinds: Sequence[Kept] = KEPT if what == "all" else (what,)
    wanted = order("history prune", {"before": before, "what": what}, why=why, who=who) if apply else None
    found: list[Held] = ask(lambda connection: _prune(connection, kinds, before, wanted))
    going = [held for held in found if held.goes]
    if as_json:
        print_json(
            {
                "before": before,
                "applied": apply,
                "rows": sum(held.goes for held in going),
                "bytes": sum(_bytes(held) for held in going),
                "months": [_as_json(held) for held in found],
            }
        )
        return
    print_table(
        "months",
        ("what", "month", "rows", "MB", "old", "of them kept", "pruned" if apply else "would be pruned"),
        (
            (
                held.month.what, f"{held.month.first:%Y-%m}" if held.month.first else "others", held.rows,
                round(held.month.size / 1e6), held.old, held.last, held.goes,
            )
            for held in found
        ),
    )  # fmt: skip
    total = f"{sum(held.goes for held in going)} rows from before {before}"
    megabytes = round(sum(map(_bytes, going)) / 1e6)
    if apply:
        typer.echo(f"{total} pruned, {megabytes} MB freed")
    else:
        typer.echo(f"{total} would be pruned, {megabytes} MB; nothing was changed: --apply --why … does it")


async def _prune(connection: Any, kinds: Sequence[Kept], before: date, wanted: Any) -> list[Held]:
    from storage.growth import month
    from storage.growth.prune import clear, drop
    from storage.operations.audit import audited
    from storage.operations.turn import turn

    if wanted is None:
        return await _count(connection, kinds, before)
    await month.check_owner(connection, kinds)
    # Nor may a replay be at work, which compares the history with what it builds and takes its place.
    async with turn(connection, "replay"), audited(connection, wanted) as result:
        found = await _count(connection, kinds, before)
        result |= {"months": 0, "rows": 0, "bytes": 0}
        going = [held for held in found if held.old and (held.goes or held.month.first)]
        with _Steps("pruning", len(going)) as step:
            for held in going:
                if held.month.first is None:
                    await clear(connection, held, before)
                else:
                    await drop(connection, held)
                    result["months"] += 1
                result["rows"] += held.goes
                result["bytes"] += _bytes(held)
                step()
    return found


async def _count(connection: Any, kinds: Sequence[Kept], before: date) -> list[Held]:
    from storage.growth.month import counted, months

    found = await months(connection, kinds)
    with _Steps("counting", len(found)) as step:
        held = []
        async for one in counted(connection, found, before):
            held.append(one)
            step()
    return held


class _Steps:
    """Shows on a terminal how far it is, and how long it may take; call it for each month done."""

    def __init__(self, what: str, months: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(what, total=months)

    def __enter__(self) -> _Steps:
        if self._progress.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self) -> None:
        self._progress.advance(self._task)


def _limit(older_than: str) -> date:
    match = _AGE.fullmatch(older_than.strip())
    months = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 1 <= months <= 1_200:
        raise typer.BadParameter(
            f"{older_than!r} is no age in months or years: give one as 24mo or 2y, at least 1mo",
            param_hint="--older-than",
        )
    now = datetime.now(UTC)
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return date(year, month + 1, 1)


def _bytes(held: Held) -> int:
    """What dropping frees at once; what is deleted of the rest is used again by what comes."""
    return held.month.size if held.month.first and held.goes else 0


def _as_json(held: Held) -> dict[str, Any]:
    return {
        "what": held.month.what,
        "month": f"{held.month.first:%Y-%m}" if held.month.first else None,
        "rows": held.rows,
        "bytes": held.month.size,
        "old": held.old,
        "kept": held.last,
        "pruned": held.goes,
    }
