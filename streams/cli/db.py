"""`tillstream db migrate|status|roles`: the history's schema in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from streams.cli import panels
from streams.cli.history import Json, ask, print_json, print_table

if TYPE_CHECKING:
    from storage.lookups.progress import ProgressListed
    from storage.schema import Applied

db = typer.Typer(no_args_is_help=True, help="The history's schema in Postgres.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(db, name="db", rich_help_panel=panels.OPERATE)


@db.command("migrate", epilog="**Example**  `tillstream db migrate`")
def migrate(as_json: Json = False) -> None:
    """Bring the database to this program's version; may be run any number of times, also at once."""
    from storage import schema

    done = ask(schema.migrate_all, known_schema=False)
    if as_json:
        print_json(
            {
                "applied": [
                    {"schema": one.name, "version": migration.version, "name": migration.name}
                    for one, migration in done
                ],
                "version": len(schema.migrations()),
            }
        )
        return
    for one, migration in done:
        typer.echo(f"applied {one.name} {migration.version} ({migration.name})")
    typer.echo(f"the database has version {len(schema.migrations())}" + ("" if done else " already"))


@db.command("status", epilog="**Example**  `tillstream db status --json`")
def status(as_json: Json = False) -> None:
    """Show the versions of the schema, and how far each topic has been written.

    Exit code 0: the database has this program's version; 1: another, or none.
    """
    from storage import schema
    from storage.errors import UnknownSchemaError
    from storage.lookups.progress import list_progress

    problem: list[str] = []

    async def look(connection: Any) -> tuple[Sequence[Applied], Sequence[ProgressListed]]:
        there = await schema.applied(connection)
        try:
            await schema.check(connection)
        except UnknownSchemaError as error:
            problem.append(str(error))
            return there, []
        return there, await list_progress(connection)

    there, progress = ask(look, known_schema=False)
    known = {one.version: one.checksum for one in schema.migrations()}
    if as_json:
        print_json(
            {
                "current": not problem,
                "problem": problem[0] if problem else None,
                "applied": there,
                "needed": len(known),
                "progress": progress,
            }
        )
    else:
        print_table(
            "versions",
            ("version", "name", "known"),
            ((one.version, one.name, known.get(one.version) == one.checksum) for one in there),
        )
        print_table(
            "progress yet",
            ("consumer", "topic", "partition", "next offset", "moved (UTC)"),
            ((one.consumer, one.topic, one.partition, one.next_offset, one.updated_at) for one in progress),
        )
    if problem:
        if not as_json:
            typer.echo(f"tillstream: {problem[0]}", err=True)
        raise typer.Exit(1)


@db.command("roles", epilog="**Example**  `tillstream db roles | psql`")
def roles() -> None:
    """Print the SQL that makes the roles of least privilege: one writes the history, one reads it."""
    from importlib.resources import files

    typer.echo(files("storage").joinpath("roles.sql").read_text(encoding="utf-8"), nl=False)
