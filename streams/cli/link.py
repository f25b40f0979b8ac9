"""`tillstream link set|show|remove`: how a store is joined to its point of sale."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.cli import panels

if TYPE_CHECKING:
    from streams.settings import Settings

T = TypeVar("T")
Store = Annotated[str, typer.Option(help="The store: the key of all its records.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

link = typer.Typer(no_args_is_help=True, help="Store links: outlets, currency, and what counts as paid.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(link, name="link", rich_help_panel=panels.LOOK)


@link.command("set", epilog="**Example**  `tillstream link set --store s1 link.json`")
def set_link(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The link's JSON document; - is standard input.")
    ],
    store: Store,
    as_json: Json = False,
) -> None:
    """Set or change a store's link; orders that wait for it are then decided."""
    from streams.linkbook import set_link as publish_link
    from topics.ids import StoreId

    document = sys.stdin.buffer.read() if file == "-" else _read(file)
    _ask(lambda settings: publish_link(settings, StoreId(store), document, file))
    _done(store, "set", as_json=as_json)


@link.command("remove", epilog="**Example**  `tillstream link remove --store s1`")
def remove_link(store: Store, as_json: Json = False) -> None:
    """Remove a store's link: its open sales stay, and new orders wait until it is set again."""
    from streams.linkbook import set_link as publish_link
    from topics.ids import StoreId

    _ask(lambda settings: publish_link(settings, StoreId(store), None, "the command line"))
    _done(store, "removed", as_json=as_json)


@link.command("show", epilog="**Example**  `tillstream link show --store s1`")
def show_link(store: Store, as_json: Json = False) -> None:
    """Show a store's link as it stands in the topic, with its defaults filled in."""
    import msgspec

    from streams.linkbook import current_link
    from topics.ids import StoreId

    found = _ask(lambda settings: current_link(settings, StoreId(store)))
    if found is None:
        typer.echo(f"tillstream: store {store} has no link: `tillstream link set` makes one", err=True)
        raise typer.Exit(1)
    document = msgspec.json.encode(found)
    typer.echo((document if as_json else msgspec.json.format(document, indent=2)).decode())


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="FILE") from error


def _ask(question: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine made from the settings; an error that a user can mend ends the command with code 1."""
    from streams.provision import ProvisionError
    from streams.publisher import PublishError
    from streams.runtime.errors import WorkerError
    from streams.settings import SettingsError, load_settings
    from topics.errors import ContractError

    try:
        return asyncio.run(question(load_settings()))
    except (ContractError, ProvisionError, PublishError, SettingsError, WorkerError) as error:
        typer.echo(f"tillstream: {error}", err=True)
        raise typer.Exit(1) from error


def _done(store: str, what: str, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode({"store_id": store, "link": what}).decode())
    else:
        typer.echo(f"link of store {store} {what}")
