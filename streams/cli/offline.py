"""What commands share that read Kafka whole, or change it while workers are stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from streams.cli.exits import Exit
from streams.cli.history import at_postgres, failed

if TYPE_CHECKING:
    from storage.operations.audit import Order
    from streams.settings import Settings

T = TypeVar("T")


def run(work: Callable[[Settings], Awaitable[T]]) -> T:
    """Do what needs Kafka; what a user can mend ends the command with a message and its exit code."""
    from streams.provision import ProvisionError
    from streams.rebuild.errors import RefusedError
    from streams.runtime.errors import WorkerError
    from streams.settings import SettingsError, load_settings, require_kafka

    async def do() -> T:
        settings = load_settings()
        require_kafka(settings)
        return await work(settings)

    try:
        with at_postgres():
            return asyncio.run(do())
    except RefusedError as error:
        raise failed(str(error), Exit.REFUSED) from error
    except (WorkerError, ProvisionError, SettingsError) as error:
        raise failed(str(error)) from error


@asynccontextmanager
async def audited(settings: Settings, order: Order, what: str) -> AsyncIterator[dict[str, Any]]:
    """Have the turn for `what`, and put what the block does into the audit: its numbers into the dict."""
    from storage.connection import connect
    from storage.operations import audit
    from storage.operations.turn import turn
    from storage.schema import OPERATIONS
    from streams.settings import require_postgres

    require_postgres(settings)
    connection = await connect(
        settings.postgres.connect_options(), name="tillstream cli", schema=OPERATIONS.name
    )
    try:
        async with turn(connection, what), audit.audited(connection, order) as result:
            yield result
    finally:
        connection.terminate()


def say_dry(*, applied: bool) -> None:
    """Say whether it was done."""
    typer.echo("done" if applied else "dry run: nothing was changed; --apply --why '…' does it")
