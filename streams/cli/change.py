"""What commands that change something share: a dry run unless told, and who and why for the audit."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from storage.operations.audit import Order

Apply = Annotated[
    bool, typer.Option("--apply", help="Do it. Without, it is a dry run: shown, and nothing is changed.")
]
Why = Annotated[
    str | None,
    typer.Option("--why", help="The reason, for the audit; needed with --apply.", show_default=False),
]
Who = Annotated[
    str | None,
    typer.Option(
        "--who", envvar="TILLSTREAM_OPERATOR", help="Who does it. [default: user@host]", show_default=False
    ),
]


def order(action: str, scope: Mapping[str, Any], *, why: str | None, who: str | None) -> Order:
    """Return the order that the audit keeps; without a reason, a usage error."""
    from storage.operations.audit import Order

    if not why or not why.strip():
        raise typer.BadParameter(
            "say why, for the audit: --why 'prices corrected by the shop'", param_hint="--why"
        )
    return Order(action, who or f"{getpass.getuser()}@{socket.gethostname()}", why.strip(), scope)
