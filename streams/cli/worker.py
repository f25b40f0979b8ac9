"""`tillstream worker stock|history`: the two processes that do the work."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from streams.cli import panels


class Kind(StrEnum):
    """The two kinds of worker."""

    STOCK = "stock"
    HISTORY = "history"


class LogFormat(StrEnum):
    """How log lines look; auto is text on a terminal and JSON otherwise."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """What is logged at least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("worker", rich_help_panel=panels.RUN, epilog=_EPILOG)(_worker)


_EPILOG = """
**Examples**

    tillstream worker stock                   decide orders

    tillstream worker history                 keep the sales history in Postgres

    tillstream worker stock --slot 1          a second one on this machine

It answers `/live`, `/ready`, `/health` and `/metrics` on loopback: stock at port 9640, history at 9641, those
of slot 1 at the next two (`TILLSTREAM_HTTP_PORT`; 0: not at all).

Exit codes: 0 stopped when asked; anything else: it stopped because of a doubt and wants to be started again.
"""


def _worker(
    kind: Annotated[Kind, typer.Argument(help="stock decides; history writes the sales history.")],
    slot: Annotated[
        int, typer.Option(min=0, help="Number of this worker among those of its kind on this machine.")
    ] = 0,
    exit_with_parent: Annotated[
        bool, typer.Option(help="End when the process that started this one ends.")
    ] = False,
    log_format: Annotated[LogFormat, typer.Option(help="How log lines look.")] = LogFormat.AUTO,
    log_level: Annotated[LogLevel, typer.Option(help="What is logged at least.")] = LogLevel.INFO,
) -> None:
    """Run a worker until it is stopped (Ctrl-C, SIGTERM); a supervisor should start a failed one again."""
    from streams import log
    from streams.settings import load_settings, require_kafka, require_postgres

    log.configure(log_level.value, log_format.value)
    settings = load_settings(slot=slot)
    require_kafka(settings)
    if kind is Kind.STOCK:
        from streams.agents.stock import stock_worker
        from streams.runtime.startup import partition_counts

        orders = settings.worker.topic("ecom.orders")
        partitions = asyncio.run(partition_counts([orders], settings.kafka))[orders]
        worker = stock_worker(settings, partitions)
    else:
        from streams.agents.history import history_worker

        require_postgres(settings)
        worker = history_worker(settings)
    raise typer.Exit(worker.run(with_parent=exit_with_parent))
