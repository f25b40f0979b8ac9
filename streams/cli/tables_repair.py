"""`tillstream tables repair`: one row of a table, written or removed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.change import Apply, Who, Why, order
from streams.cli.history import Json, print_json
from streams.cli.offline import audited, run, say_dry
from streams.cli.table_names import Key, Table, chosen

if TYPE_CHECKING:
    from streams.settings import Settings

TURN = "tables"

_EPILOG = (
    "**Examples**  `tillstream tables repair --table stock --key 's1%00p-1' --value row.json`"
    "  `tillstream tables repair --table early --key 's1%00x' --delete --apply --why 'cannot be read'`\n\n"
    "**Exit codes**  0 done, or shown; 1 failed; 2 the value is not a row of the table; 4 another operator is"
    " at work; 5 a stock worker is in its group."
)


def register(tables: typer.Typer) -> None:
    """Add the command to the group."""
    tables.command("repair", epilog=_EPILOG)(repair)


def repair(
    table: Table,
    key: Key,
    value: Annotated[
        Path | None, typer.Option("--value", help="A file with the row to write.", show_default=False)
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove the row.")] = False,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Write one row of a table, or remove it, with the stock workers stopped.

    It goes through the partition's own transactional id, so a worker that still runs somewhere is fenced off.
    What a row says must agree with the outgoing topics; where it follows from them, prefer `tables rebuild`.
    """
    from streams.rebuild import keys
    from streams.rebuild.draft import SPECS

    (name,) = chosen([table])
    wanted = keys.read(key)
    if (value is None) == (not delete):
        raise typer.BadParameter("give either --value FILE or --delete", param_hint="--value")
    row = _row(name, value) if value is not None else None
    placed = (
        order("tables repair", {"table": name, "key": _kept(name, key), "delete": delete}, why=why, who=who)
        if apply
        else None
    )

    async def mend(settings: Settings) -> dict[str, Any]:
        from streams.rebuild.repair import look_at_row, write_row

        before = await look_at_row(settings, name, wanted)
        answer = {
            "table": name,
            "partition": before.partition,
            "key": key,
            "before": _text(before.row),
            "after": _text(row),
            "readable": before.row is not None and _reads(SPECS[name].decode, before.row),
            "applied": placed is not None,
        }
        if placed is not None:
            async with audited(settings, placed, TURN) as result:
                await write_row(settings, before, row)
                result.update(partition=before.partition, bytes=0 if row is None else len(row))
        return answer

    answer = run(mend)
    if as_json:
        print_json(answer)
        return
    typer.echo(f"{name}, partition {answer['partition']}, key {key}")
    typer.echo(f"before  {answer['before'] or 'no row'}")
    typer.echo(f"after   {answer['after'] or 'no row'}")
    say_dry(applied=apply)


def _kept(table: str, key: str) -> str:
    """Return the key as the audit may keep it: an e-mail is nobody's business there."""
    from hashlib import sha256

    from streams.domain.tables import EMAILS

    return f"sha256:{sha256(key.encode()).hexdigest()}" if table == EMAILS else key


def _row(table: str, path: Path) -> bytes:
    """Return the row in a file, as the worker writes it; a usage error when it is not one of the table."""
    import msgspec

    from streams.rebuild.draft import SPECS

    spec = SPECS[table]
    try:
        return spec.encode(spec.decode(path.read_bytes()))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}", param_hint="--value") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(
            f"{path} holds no row of the table {table}: {error}", param_hint="--value"
        ) from error


def _reads(decode: Callable[[bytes], object], row: bytes) -> bool:
    import msgspec

    try:
        decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _text(row: bytes | None) -> str | None:
    return None if row is None else row.decode(errors="backslashreplace")
