"""How the commands on replays are told a range, and how they end."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.cli.exits import Exit
from streams.cli.history import failed, point

if TYPE_CHECKING:
    from storage.replay.scope import Offsets, Scope
    from streams.replay.desk import Desk
    from streams.replay.run import Tell

T = TypeVar("T")

Store = Annotated[str | None, typer.Option("--store", help="Only this store.", show_default=False)]
OrderId = Annotated[str | None, typer.Option("--order", help="Only this order.", show_default=False)]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Only records from then on, by Kafka's time: 24h, 7d ago, 2026-03-01 or a whole time (UTC).",
        show_default=False,
    ),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", help="Only records before then, as above.", show_default=False),
]
OffsetsOf = Annotated[
    list[str] | None,
    typer.Option(
        "--offsets",
        metavar="TOPIC:PARTITION:FROM-TO",
        help="Only these records, TO not included; TOPIC without the prefix. May be repeated.",
        show_default=False,
    ),
]
AcceptGap = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-gap",
        metavar="TOPIC",
        help="Go on without what the log of this topic no longer has. Of dead.letters, the live history's are"
        " carried over. May be repeated.",
        show_default=False,
    ),
]

_OFFSETS = re.compile(r"([\w.-]+):(\d{1,9}):(\d{1,18})-(\d{1,18})")


def scope_of(
    store: str | None, order: str | None, since: str | None, until: str | None, offsets: Sequence[str] | None
) -> Scope:
    """Return the scope that the options mean; what cannot be one is a usage error."""
    from storage.replay.scope import Scope

    if offsets and (since or until):
        raise typer.BadParameter("give times or offsets, not both", param_hint="--offsets")
    after, before = point(since, "--from"), point(until, "--to")
    if after and before and before <= after:
        raise typer.BadParameter(f"{until} is not after --from {since}", param_hint="--to")
    return Scope(
        store_id=store,
        order_id=order,
        since=after,
        until=before,
        offsets=tuple(_offsets(text) for text in offsets or ()),
    )


def _offsets(text: str) -> Offsets:
    from storage.replay.scope import Offsets
    from storage.rows import TARGETS

    match = _OFFSETS.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no range of offsets: give one as sales:0:1200-1300", param_hint="--offsets"
        )
    begin, end = int(match[3]), int(match[4])
    if begin >= end:
        raise typer.BadParameter(f"{text!r} is empty: {end} is not after {begin}", param_hint="--offsets")
    return Offsets(
        topic=topic_of(match[1], TARGETS, "--offsets"), partition=int(match[2]), begin=begin, end=end
    )


def topic_of(name: str, known: Any, option: str) -> str:
    """Return a topic's name if it becomes rows; else a usage error that names those that do."""
    if name not in known:
        raise typer.BadParameter(
            f"{name!r} is no topic of the history; there are {', '.join(known)}", param_hint=option
        )
    return name


def at_desk(work: Callable[[Desk], Awaitable[T]]) -> T:
    """Do something with Postgres and the log; errors end the command with a message and their code."""
    import asyncio

    from asyncpg import InterfaceError, PostgresError

    from storage.errors import BusyError, StorageError
    from streams.replay.desk import sitting
    from streams.replay.errors import RefusedError, ReplayError
    from streams.runtime.errors import WorkerError
    from streams.settings import SettingsError, load_settings, require_kafka, require_postgres

    async def sit() -> T:
        async with sitting(settings) as desk:
            return await work(desk)

    try:
        settings = load_settings()
        require_kafka(settings)
        require_postgres(settings)
        return asyncio.run(sit())
    except BusyError as error:
        raise failed(str(error), Exit.BUSY) from error
    except RefusedError as error:
        raise failed(str(error), Exit.REFUSED) from error
    except (ReplayError, StorageError, WorkerError, SettingsError) as error:
        raise failed(str(error)) from error
    except PostgresError as error:
        raise failed(f"Postgres refused ({error.sqlstate}): {error}") from error
    except InterfaceError as error:
        raise failed(
            f"The session with Postgres was lost ({error}). What is written stays: `tillstream replay status`"
            " shows how far it is, and `tillstream replay run --resume` goes on"
        ) from error
    except OSError as error:
        raise failed(
            f"Postgres does not answer ({error or type(error).__name__}): is it running, and is"
            " TILLSTREAM_POSTGRES_DSN (or …_HOST) right?"
        ) from error
    except KeyboardInterrupt:
        raise failed(
            "stopped. What is written stays: a replay goes on with `tillstream replay run --resume`, and"
            " `tillstream replay drop` removes it; a swap was not made",
            Exit.STOPPED,
        ) from None


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Tell]:
    """Show on standard error how far it is, how fast, and how long it may take; nothing with `quiet`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def tell(done: int, due: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=due, rate=f"{speed:,.0f} offsets/s" if speed else "")

        yield tell
