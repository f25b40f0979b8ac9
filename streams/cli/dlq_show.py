"""`tillstream dlq show ID`: one letter, whole: why, where, what the log has of it, and what to do."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from streams.cli.exits import Exit
from streams.cli.history import Json, ask, failed, print_json

if TYPE_CHECKING:
    from streams.redrive.display import Found, Shown

_EPILOG = """
**Examples**

    tillstream dlq show 0b8f0f0e-6d5e-5c1a-9a53-0d7d5a1f4c11

    tillstream dlq show 0b8f0f0e-6d5e-5c1a-9a53-0d7d5a1f4c11 --save record.json     to mend it

**Exit codes**  0 shown; 1 it failed; 2 wrong options; 5 refused: there is no such letter, or nothing to save
"""


def register(dlq: typer.Typer) -> None:
    """Add the command to the group."""
    dlq.command("show", epilog=_EPILOG)(show)


def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="The letter's id.")],
    with_payload: Annotated[
        bool,
        typer.Option(
            "--with-payload",
            help="Also the record's first bytes and the traceback, which may hold names and addresses.",
        ),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the record (of a search answer: the part) to a new file that only you can read.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a dead letter: reason, coordinates, what was done about it, and what to do."""
    from streams.redrive.display import display
    from streams.redrive.errors import RefusedError
    from streams.settings import load_settings

    if save is not None and save.exists():
        raise typer.BadParameter(f"{save} is there already: name a new file", param_hint="--save")
    try:
        found = ask(
            lambda connection: display(connection, load_settings(), letter, with_payload=with_payload)
        )
    except RefusedError as error:
        raise failed(str(error), Exit.REFUSED) from error
    if save is not None:
        _save(found, save)
    if as_json:
        print_json(found.shown)
    else:
        _tell(found.shown)


def _save(found: Found, file: Path) -> None:
    if found.value is None:
        raise failed(f"There is no record to save: {found.missing}", Exit.REFUSED)
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as output:
            output.write(found.value)
    except OSError as error:
        raise failed(f"{file} could not be written: {error.strerror}") from error
    typer.echo(f"{len(found.value):,} bytes written to {file}", err=True)


def _tell(shown: Shown) -> None:
    known: dict[str, Any] = msgspec.structs.asdict(shown.letter)
    known["in the log"] = shown.not_in_log or "yes"
    known |= {f"header {header.name}": header.value for header in shown.headers}
    known["read now"] = shown.read_now
    known["what to do"] = shown.advice
    for name, value in known.items():
        if value is not None and value != []:
            typer.echo(f"{name.replace('_', ' '):<18} {_text(value)}")
    for part in (shown.traceback, shown.head):
        if part is not None:
            typer.echo(f"\n{part}")


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    return ", ".join(value) if isinstance(value, list) else str(value)
