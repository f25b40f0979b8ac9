"""`tillstream topology`: what reads what and writes what."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import panels


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("topology", rich_help_panel=panels.LOOK, epilog="**Example**  `tillstream topology --json`")(
        _topology
    )


def _topology(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print each worker with its sources, its tables with their changelogs, and its sinks."""
    import msgspec

    from streams.settings import WorkerSettings
    from streams.topology import topology

    nodes = topology(WorkerSettings())
    if as_json:
        typer.echo(msgspec.json.encode(nodes).decode())
        return
    from rich.console import Console
    from rich.tree import Tree

    console = Console()
    for node in nodes:
        tree = Tree(f"[bold]{node.worker} worker[/] (group {node.group})")
        for title, names in (
            ("sources", node.sources),
            ("tables", tuple(f"{table} [dim]({log})[/]" for table, log in node.tables.items())),
            ("sinks", node.sinks),
        ):
            if names:
                branch = tree.add(title)
                for name in names:
                    branch.add(name)
        console.print(tree)
