"""How commands name tables and their rows."""

from __future__ import annotations

from typing import Annotated

import typer

Table = Annotated[str, typer.Option("--table", help="The table.", show_default=False)]
Key = Annotated[
    str,
    typer.Option(
        "--key", help="The row's key as `tables verify` shows it: store, %00, name.", show_default=False
    ),
]

LEVELS = ("stock", "skus", "strays")


def chosen(only: list[str] | None, empty: tuple[str, ...] | None = None) -> tuple[str, ...]:
    from streams.domain.tables import TABLES

    if not only:
        return tuple(TABLES) if empty is None else empty
    found: dict[str, None] = {}
    for name in only:
        if name == "all":
            found |= dict.fromkeys(TABLES)
        elif name == "levels":
            found |= dict.fromkeys(LEVELS)
        elif name in TABLES:
            found[name] = None
        else:
            raise typer.BadParameter(
                f"no table {name!r}; there are {', '.join(TABLES)}, and levels, all", param_hint="--table"
            )
    return tuple(name for name in TABLES if name in found)
