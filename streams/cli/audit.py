"""`tillstream audit list`: what operators changed, when and why."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import panels
from streams.cli.history import Json, Limit, Since, ask, point, print_json, print_table

audit = typer.Typer(no_args_is_help=True, help="What operators changed by hand, when and why.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(audit, name="audit", rich_help_panel=panels.OPERATE)


@audit.command("list", epilog="**Example**  `tillstream audit list --action replay --since 7d`")
def list_audit(
    action: Annotated[
        str | None,
        typer.Option(help="Only this command, or a group of them (dlq, replay, …).", show_default=False),
    ] = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List commands that changed something, the last first."""
    from storage.operations.audit import list_audited

    after = point(since)
    found = ask(
        lambda connection: list_audited(connection, action=action, since=after, limit=limit),
        known_schema=False,
    )
    if as_json:
        print_json(found)
        return
    print_table(
        "commands in the audit",
        (
            "number", "begun (UTC)", "ended (UTC)", "command", "who", "why", "scope", "state", "result",
            "error",
        ),
        (
            (
                one.audit_id, one.begun_at, one.ended_at, one.action, one.operator, one.reason,
                _pairs(one.scope), one.state, _pairs(one.result), one.error,
            )
            for one in found
        ),
    )  # fmt: skip


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
