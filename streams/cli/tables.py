"""`tillstream tables verify|show|repair|rebuild`: the stock worker's tables, as its changelogs have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import panels, tables_rebuild, tables_repair
from streams.cli.exits import Exit
from streams.cli.history import Json, failed, print_json, print_table
from streams.cli.offline import run
from streams.cli.progress import progress
from streams.cli.table_names import Key, Table, chosen

if TYPE_CHECKING:
    from streams.rebuild.changelogs import Broken, Changelog
    from streams.settings import Settings

tables = typer.Typer(no_args_is_help=True, help="The stock worker's tables: verify, repair, rebuild.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    tables_repair.register(tables)
    tables_rebuild.register(tables)
    app.add_typer(tables, name="tables", rich_help_panel=panels.OPERATE)


@tables.command(
    "verify",
    epilog="**Examples**  `tillstream tables verify`  `tillstream tables verify --table stock --json`\n\n"
    "**Exit codes**  0 all rows can be read; 3 a changelog is missing, or has rows that cannot be read;"
    " 1 Kafka does not answer.",
)
def verify(
    only: Annotated[
        list[str] | None,
        typer.Option("--table", help="Only this table; may be given again.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read the changelogs as a start of the worker would: rows, bytes, and rows that cannot be read.

    Workers may be at work meanwhile. Records per row show how far compaction is: it falls towards 1 as
    Kafka's cleaner goes over the log.
    """
    from streams.rebuild.changelogs import look_at, read_tables

    wanted = chosen(only)

    async def read(settings: Settings) -> tuple[list[Changelog], tuple[str, ...]]:
        site = await look_at(settings)
        with progress("reading changelogs") as told:
            found = await read_tables(settings, site, wanted, told=told)
        return list(found.values()), tuple(table for table in site.missing if table in wanted)

    found, missing = run(read)
    broken = [row for one in found for row in one.broken()]
    if as_json:
        print_json(
            {
                "tables": [_changelog_json(one) for one in found],
                "missing": missing,
                "undecodable": [_broken_json(row) for row in broken],
            }
        )
    else:
        print_table(
            "tables",
            ("table", "partition", "rows", "bytes", "records", "records per row"),
            (
                (one.table, one.partition, len(one.rows), one.size, one.records, _per_row(one))
                for one in found
                if one.records
            ),
        )
        for table in missing:
            typer.echo(f"the changelog of {table} is missing: `tillstream tables rebuild`")
        for row in broken:
            typer.echo(
                f"{row.table}, partition {row.partition}, key {_shown(row.key)}: {row.problem};"
                " `tillstream tables repair`"
            )
    if missing or broken:
        raise typer.Exit(Exit.FOUND)


@tables.command(
    "show",
    epilog="**Example**  `tillstream tables show --table stock --key 's1%00p-1'`\n\n"
    "**Exit codes**  0 shown; 1 there is no such row.",
)
def show(table: Table, key: Key, as_json: Json = False) -> None:
    """Print a row as it stands in the changelog, to look at it or to mend it for `tables repair --value`.

    With --json also where it stands; `row` is then its text.
    """
    from streams.rebuild import keys
    from streams.rebuild.repair import look_at_row

    (name,) = chosen([table])
    found = run(lambda settings: look_at_row(settings, name, keys.read(key)))
    if found.row is None:
        raise failed(
            f"table {table} has no row {key!r}: `tillstream tables verify` shows how keys are written"
        )
    row = found.row.decode(errors="backslashreplace")
    if as_json:
        print_json({"table": name, "partition": found.partition, "key": _shown(found.key), "row": row})
    else:
        typer.echo(row)


def _shown(key: bytes) -> str:
    from streams.rebuild import keys

    return keys.shown(key)


def _per_row(one: Changelog) -> str:
    return f"{one.records / len(one.rows):.1f}" if one.rows else ""


def _changelog_json(one: Changelog) -> dict[str, Any]:
    return {
        "table": one.table,
        "partition": one.partition,
        "rows": len(one.rows),
        "bytes": one.size,
        "records": one.records,
        "nameless": one.nameless,
    }


def _broken_json(row: Broken) -> dict[str, Any]:
    return {
        "table": row.table,
        "partition": row.partition,
        "key": _shown(row.key),
        "problem": row.problem,
    }
