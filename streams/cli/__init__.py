"""The command `tillstream`.

Each module of this package adds commands in its function `register`. Modules import Kafka, Faust, Postgres
and the embedded stack inside their commands, so that `tillstream --help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from streams.cli import (
    audit,
    bench,
    chaos,
    customers,
    db,
    demo,
    dlq,
    doctor,
    exceptions,
    fulfillments,
    link,
    order,
    partitions,
    payments,
    prune,
    publish,
    quality,
    reconcile,
    refunds,
    replay,
    sales,
    simulate,
    stack,
    status,
    stock,
    tables,
    topics,
    topology,
    worker,
)
from streams.cli.exits import CODES

EPILOG = """
**Examples**

    tillstream demo                                        see it work

    tillstream up                                          start a Kafka and a Postgres

    tillstream worker stock                                decide orders

    tillstream publish ecom.orders --store s1 order.json   put an order in

    tillstream sales show 1001 --store s1 --json           see what became of it

    tillstream down                                        stop them
"""

app = typer.Typer(
    name="tillstream",
    help="Joins an online store (Lightspeed eCom) to a point of sale (Lightspeed Retail POS) over Kafka, "
    "exactly once.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback with the values of variables would show passwords and customers.
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tillstream {version('tillstream')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    from streams.log import silence_clients

    silence_clients()  # a worker gives them their voice again


# In the order in which `--help` lists them, within the panels of streams/cli/panels.py.
for module in (
    demo,
    audit,
    bench,
    chaos,
    quality,
    stack,
    doctor,
    status,
    worker,
    publish,
    link,
    sales,
    order,
    fulfillments,
    payments,
    refunds,
    stock,
    customers,
    exceptions,
    topology,
    topics,
    db,
    simulate,
    prune,
    dlq,
    reconcile,
    replay,
    tables,
    partitions,
):
    module.register(app)


def _say_codes(group: typer.Typer) -> None:
    """Have the help of every command say its exit codes."""
    for command in group.registered_commands:
        if "xit code" not in f"{command.epilog}{command.callback.__doc__}":
            command.epilog = f"{command.epilog or ''}\n\n{CODES}"
    for sub in group.registered_groups:
        if sub.typer_instance is not None:
            _say_codes(sub.typer_instance)


_say_codes(app)


def main() -> None:
    """Run the command line; errors that a user can mend end it with a message and exit code 1."""
    from deploy.local.errors import StackError
    from storage.errors import StorageError
    from streams.runtime.errors import WorkerError
    from streams.settings import SettingsError

    try:
        app()
    except (StackError, StorageError, WorkerError, SettingsError) as error:
        print(f"tillstream: {error}", file=sys.stderr)
        sys.exit(1)
