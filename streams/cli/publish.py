"""`tillstream publish TOPIC --store ID FILE…`: puts records in, as the gateways do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from streams.cli import panels

if TYPE_CHECKING:
    from streams.payloads import Payload
    from streams.publisher import Published
    from topics.registry import Topic

SHOWN_WARNINGS = 20
STANDARD_INPUT = "-"

_EPILOG = """
**Examples**

    tillstream publish ecom.orders --store s1 order.json          one order, or an array of them

    tillstream publish pos.inventory --store s1 counts.ndjson     a record from each line

    cat *.json | tillstream publish ecom.orders --store s1 -      from standard input
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("publish", rich_help_panel=panels.LOOK, epilog=_EPILOG)(publish)


def publish(
    topic: Annotated[str, typer.Argument(help="An inbound topic: ecom.orders, pos.inventory, …")],
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="JSON or NDJSON files; - is standard input.")
    ],
    store: Annotated[str, typer.Option(help="The store that the records are of: their key.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Send each file as one record, byte for byte, whatever it holds.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Publish nothing if any record breaks its contract.")
    ] = False,
    prefix: Annotated[
        str | None,
        typer.Option(
            help="What every topic's name begins with. [default: TILLSTREAM_PREFIX]", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Publish records of one store to an inbound topic.

    The elements of an array and the values or lines of a file become a record each; a search answer stays one
    record, as the API gives it; `null` is a record without a value. A record that breaks its contract is
    published with a warning: it becomes a dead letter.
    """
    from streams.payloads import PayloadError
    from streams.provision import ProvisionError
    from streams.publisher import PublishError
    from streams.publisher import publish as send
    from streams.runtime.errors import WorkerError
    from streams.settings import SettingsError, load_settings

    found = _topic(topic)
    _check_store(store)
    for name in files:
        if name != STANDARD_INPUT and not Path(name).is_file():
            raise typer.BadParameter(f"{name} is not a file", param_hint="FILE")
    try:
        settings = load_settings(prefix=prefix)
        checked = _Checked(found, _payloads(files, found.name, raw=raw), strict=strict)
        # With --strict all is looked at before anything is sent, so it is held in memory.
        payloads: Iterable[Payload] = list(checked) if strict else checked
        with _progress(quiet=as_json) as progress:
            sent = asyncio.run(send(settings, found, store, payloads, progress))
    except (PayloadError, ProvisionError, PublishError, SettingsError, WorkerError, OSError) as error:
        typer.echo(f"tillstream: {error}", err=True)
        raise typer.Exit(1) from error
    sent.warnings = checked.warnings
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(sent).decode())
        return
    offsets = f", offsets {sent.first_offset} to {sent.last_offset}" if sent.records else ""
    warned = f"; {sent.warnings} break the contract and become dead letters" if sent.warnings else ""
    typer.echo(f"{sent.records} records to {sent.topic}, partition {sent.partition}{offsets}{warned}")


class _Checked:
    """Payloads on their way, each looked at with the topic's decoder: what breaks the contract is told."""

    def __init__(self, topic: Topic, payloads: Iterable[Payload], *, strict: bool) -> None:
        self.warnings = 0
        self._topic = topic
        self._payloads = payloads
        self._strict = strict

    def __iter__(self) -> Iterator[Payload]:
        from streams.payloads import PayloadError

        for payload in self._payloads:
            for fault in _faults(self._topic.name, payload.value):
                if self._strict:
                    raise PayloadError(f"{payload.place}: {fault}. Nothing was published (--strict).")
                self.warnings += 1
                if self.warnings <= SHOWN_WARNINGS:
                    typer.echo(f"warning: {payload.place}: {fault}", err=True)
                elif self.warnings == SHOWN_WARNINGS + 1:
                    typer.echo("warning: more like these are not shown", err=True)
            yield payload


def _faults(topic: str, value: bytes | None) -> Iterator[str]:
    """Yield what is wrong with a record, a sentence for each part that is refused."""
    from datetime import UTC, datetime

    from streams.redrive import contract
    from topics.errors import ContractError

    for one in contract.messages(topic, value, datetime.now(UTC)):
        if isinstance(one, ContractError):
            yield one.detail if one.part is None else f"order {one.part}: {one.detail}"


def _payloads(files: Iterable[str], topic: str, *, raw: bool) -> Iterator[Payload]:
    from streams.payloads import split, whole

    with ExitStack() as stack:
        for name in files:
            piped = name == STANDARD_INPUT
            file: BinaryIO = sys.stdin.buffer if piped else stack.enter_context(Path(name).open("rb"))
            shown = "standard input" if piped else name
            yield from whole(file, shown) if raw else split(file, shown, topic)


def _topic(name: str) -> Topic:
    from topics.registry import BY_NAME, INBOUND

    topic = BY_NAME.get(name)
    if topic is not None and topic.direction == "in":
        return topic
    inbound = ", ".join(found.name for found in INBOUND)
    why = "only the stock worker writes to it" if topic else "there is no such topic"
    raise typer.BadParameter(f"{name}: {why}; inbound topics are {inbound}", param_hint="TOPIC")


def _check_store(store: str) -> None:
    from topics.errors import ContractError
    from topics.keys import decode_key

    try:
        decode_key(store.encode("utf-8", "surrogateescape"))
    except ContractError as error:
        raise typer.BadParameter(error.detail, param_hint="--store") from error


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[Published], None]]:
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} records"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("publish", total=None)
        yield lambda sent: bar.update(task, completed=sent.records)
