"""What the commands that ask the history in Postgres have in common."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeVar

import typer

from streams.cli.exits import Exit

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Store = Annotated[
    str | None, typer.Option("--store", help="Only this store. [default: all]", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", help="Not older: 30m, 24h, 7d, 2026-03-01 or a whole time (UTC).", show_default=False
    ),
]
FirstDay = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First day, as 2026-03-01.", show_default=False)
]
LastDay = Annotated[
    str | None,
    typer.Option("--to", metavar="DATE", help="Last day; it is included.", show_default=False),
]
TimeZone = Annotated[
    str, typer.Option("--time-zone", metavar="ZONE", help="Whose days, as Pacific/Auckland.")
]

_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# What a table gets when it is not shown on a terminal: nothing is folded for a pipe.
PIPE_WIDTH = 240


def ask(question: Callable[[Any], Awaitable[T]], *, known_schema: bool = True) -> T:
    """Put a question to the history; what a user can mend ends the command with a message and its code.

    `known_schema` False: also when the database has no history, or that of another version.
    """
    from streams.settings import SettingsError, load_settings, require_postgres

    try:
        settings = load_settings()
        require_postgres(settings)
    except SettingsError as error:
        raise failed(str(error)) from error
    return asyncio.run(_ask(settings.postgres.connect_options(), question, known_schema))


async def _ask(options: dict[str, Any], question: Callable[[Any], Awaitable[T]], known_schema: bool) -> T:
    from storage import schema
    from storage.connection import connect

    with at_postgres():
        connection = await connect(options, name="tillstream cli")
        try:
            if known_schema:
                await schema.check(connection)
            return await question(connection)
        finally:
            connection.terminate()


@contextmanager
def at_postgres() -> Iterator[None]:
    """Have what goes wrong with Postgres end the command with a message and its code."""
    import asyncpg

    from storage.connection import CLIENT_ERRORS
    from storage.errors import BusyError, StorageError

    try:
        yield
    except BusyError as error:
        raise failed(str(error), Exit.BUSY) from error
    except StorageError as error:
        raise failed(str(error)) from error
    except OSError as error:
        reason = str(error) or type(error).__name__
        raise failed(
            f"Postgres does not answer ({reason}): is it running, and is TILLSTREAM_POSTGRES_DSN (or …_HOST)"
            " right? `tillstream status` shows the local one"
        ) from error
    except asyncpg.PostgresError as error:
        raise failed(f"Postgres refused ({error.sqlstate}): {error}") from error
    except CLIENT_ERRORS as error:
        raise failed(f"Postgres went away in the middle ({error}): is it running? Run it again") from error


def failed(message: str, code: Exit = Exit.FAILED) -> typer.Exit:
    """Print what went wrong; to be raised."""
    typer.echo(f"tillstream: {message}", err=True)
    return typer.Exit(code)


def point(since: str | None, option: str = "--since") -> datetime | None:
    """Return the time that `--since`, or another option, means; a span counts back from now."""
    if since is None:
        return None
    if match := _SPAN.fullmatch(since.strip()):
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        time = datetime.fromisoformat(since.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{since!r} is neither a span (30m, 24h, 7d) nor a date or time (2026-03-01, 2026-03-01T12:00)",
            param_hint=option,
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def day(text: str | None, option: str) -> date | None:
    """Return the day that an option such as `--from` means."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date: give one as 2026-03-01", param_hint=option) from None


def days(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    """Return the days that `--from` and `--to` mean, which must be in this order."""
    first_day, last_day = day(first, "--from"), day(last, "--to")
    if first_day and last_day and last_day < first_day:
        raise typer.BadParameter(f"{last_day} is before --from {first_day}", param_hint="--to")
    return first_day, last_day


def print_json(answer: Any) -> None:
    """Print an answer, or a list of them, as JSON."""
    import msgspec

    from storage.lookups.answer import to_json

    typer.echo(msgspec.json.format(to_json(answer), indent=2).decode())


def print_table(what: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings, numbers to the right; `what` names them when there are none."""
    from decimal import Decimal

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [tuple(row) for row in rows]
    if not lines:
        typer.echo(f"No {what}.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        numeric = all(isinstance(line[place], (int, Decimal)) for line in lines)
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for line in lines:
        # Text, not markup: what stands in brackets in a customer's name is no colour.
        table.add_row(*(Text(_shown(value)) for value in line))
    console = Console(highlight=False)
    Console(highlight=False, width=console.width if console.is_terminal else PIPE_WIDTH).print(table)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    return str(value)
