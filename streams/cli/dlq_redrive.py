"""`tillstream dlq redrive`: refused records, sent again in their order, each once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, ask, failed, print_json, print_table
from streams.cli.letters import All, Ids, Reasons, Since, Topics, Until, chosen, scope

if TYPE_CHECKING:
    from streams.redrive.plan import Planned
    from streams.redrive.run import Progress, Report

SHOWN = 50

_EPILOG = """
**Examples**

    tillstream dlq redrive --reason bad_value --since 24h                   what it would send

    tillstream dlq redrive --reason bad_value --since 24h --apply --why 'upgraded: the word is known now'

    tillstream dlq redrive ID --replace order.json --apply --why 'the shop mended the price'

    tillstream dlq redrive ID --store s1 --apply --why 'its publisher had set no key'

**Exit codes**  0 done, or nothing to do; 1 it failed, and says how many were sent; 2 wrong options; 4 another
operator is at work; 5 refused, nothing was sent: a record must not be sent again, or is nowhere any more;
130 stopped by Ctrl-C, what was in hand was sent
"""


def register(dlq: typer.Typer) -> None:
    """Add the command to the group."""
    dlq.command("redrive", epilog=_EPILOG)(redrive)


def redrive(
    ids: Ids = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            help="Only of this store. A letter that is named and has no store becomes this one's.",
            show_default=False,
        ),
    ] = None,
    reason: Reasons = None,
    topic: Topics = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    replace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Send this in place of the one letter's record (of a search answer: of its part).",
            show_default=False,
        ),
    ] = None,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Leave out those that cannot be sent, and send the others.")
    ] = False,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Send refused records again to their topic, with a mark: the original bytes, key, headers and time.

    Of letters that are not named, those in state new. In the order of topic, partition and offset, each once
    also when this is killed: run it again then.
    """
    from streams.redrive import run
    from streams.redrive.errors import RedriveError, RefusedError
    from streams.redrive.preparing import Given
    from streams.runtime.errors import WorkerError
    from streams.settings import load_settings

    which = chosen(ids, store, reason, topic, since, until, ("new", "sending"), everything=everything)
    if ids and store:
        which = msgspec.structs.replace(which, also_of_no_store=True)
        _check_store(store)
    replacement = _replacement(replace, which.ids)
    given = Given(store_id=store if ids else None, replacement=replacement)
    placed = None
    if apply:
        what = scope(which) | ({"replaced_by_sha256": sha256(replacement).hexdigest()} if replacement else {})
        placed = order("dlq redrive", what, why=why, who=who)

    async def work(connection: Any) -> Report:
        settings = load_settings()
        with _progress(quiet=as_json) as progress:
            if placed is None:
                return await run.plan(connection, settings, which, given, progress)
            return await run.redrive(
                connection, settings, which, given, progress, placed, skip_refused=skip_refused
            )

    try:
        report = ask(work)
    except RefusedError as error:
        raise failed(str(error), Exit.REFUSED) from error
    except (RedriveError, WorkerError) as error:
        raise failed(str(error)) from error
    except KeyboardInterrupt:
        left = "What was in hand was sent to its end, the rest was not: the same command goes on"
        raise failed(f"stopped. {left if apply else 'Nothing was changed'}", Exit.STOPPED) from None
    if as_json:
        print_json(report)
    else:
        _tell(report)
    if not apply and report.refused and not skip_refused:
        raise typer.Exit(Exit.REFUSED)


def _check_store(store: str) -> None:
    from topics.errors import ContractError
    from topics.keys import decode_key

    try:
        decode_key(store.encode())
    except ContractError as error:
        raise typer.BadParameter(f"{store!r} cannot be a store: {error}", param_hint="--store") from error


def _replacement(file: Path | None, ids: tuple[str, ...]) -> bytes | None:
    if file is None:
        return None
    if len(ids) != 1:
        raise typer.BadParameter(
            f"it takes the place of one letter's record, and {len(ids)} are named", param_hint="--replace"
        )
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(
            f"{file} cannot be read: {error.strerror}", param_hint="--replace"
        ) from error


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """Show how many letters were read and sent, on standard error; nothing with `quiet`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from streams.redrive.run import Step

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        settling = bar.add_task("looking for what was sent", total=None, visible=False)
        reading = bar.add_task("letters read", total=None, visible=False)
        sending = bar.add_task("records sent", total=None, visible=False)

        def note(step: Step, count: int) -> None:
            match step:
                case Step.SETTLED:
                    bar.update(settling, advance=count, visible=True)
                case Step.CHOSEN:
                    bar.update(reading, total=count, visible=True)
                case Step.READ:
                    bar.update(reading, advance=count)
                case Step.SENDABLE:
                    bar.update(sending, total=count, visible=True)
                case Step.SENT:
                    bar.update(sending, advance=count)

        yield note


def _tell(report: Report) -> None:
    if not report.applied or report.refused:
        print_table(
            "letters to send again",
            ("letter", "record", "part", "store", "order", "reason", "to partition", "from", "what happens"),
            (
                (
                    one.dead_letter_id, one.source, one.part, one.store_id, one.order_id, one.reason,
                    one.partition, one.origin, _what(one, applied=report.applied),
                )
                for one in report.letters[:SHOWN]
            ),
        )  # fmt: skip
        if len(report.letters) > SHOWN:
            typer.echo(f"and {len(report.letters) - SHOWN} more: --json shows all")
    settled = report.settled_as_sent + report.settled_as_not_sent
    if settled:
        typer.echo(
            f"an earlier redrive was broken off: of {settled} records in doubt {report.settled_as_sent} had"
            " been sent"
        )
    left = [f"{report.refused} refused"] if report.refused else []
    left += [f"{report.already} were sent before"] if report.already else []
    rest = f" ({', '.join(left)})" if left else ""
    if report.applied:
        typer.echo(f"{report.sent} of {report.chosen} records sent again{rest}")
    else:
        typer.echo(f"dry run: --apply would send {report.sendable} of {report.chosen} records{rest}")
        back = sum(one.fault is not None for one in report.letters)
        if back:
            typer.echo(f"{back} of them would be refused again: they break the contract as they are")


def _what(one: Planned, *, applied: bool) -> str:
    if one.refused:
        return f"refused: {one.refused}"
    if one.already:
        return f"sent before: {one.already}"
    if one.in_doubt:
        return "an earlier redrive was broken off: sent unless that did it"
    sent = "sent" if applied else "to be sent"
    if one.fault:
        return f"{sent}; would be refused again: {one.fault}"
    return f"{sent}; beware: {one.caution}" if one.caution else sent
