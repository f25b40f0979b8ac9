"""`tillstream replay plan|run`: the topics read again, into a shadow of the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.change import Apply, Who, Why, order
from streams.cli.exits import Exit
from streams.cli.history import Json, failed, print_json, print_table
from streams.cli.replay_book import entry, status
from streams.cli.replay_options import (
    AcceptGap,
    From,
    OffsetsOf,
    OrderId,
    Store,
    To,
    at_desk,
    progress,
    scope_of,
    topic_of,
)

if TYPE_CHECKING:
    from storage.operations.replays import Replay
    from streams.replay.desk import Desk
    from streams.replay.outlook import Outlook

_PLAN = """
**Examples**

    tillstream replay plan                                   all history

    tillstream replay plan --store s1 --exact                a store: counted, and against the live rows

    tillstream replay plan --from 7d                         the last week

    tillstream replay plan --offsets sales:0:1200-1300

**Exit codes**  0 it can be done; 1 it failed; 2 wrong options; 5 the log no longer has all of it
"""
_RUN = """
**Examples**

    tillstream replay run                                            what it would do

    tillstream replay run --apply --why 'rows were deleted by hand'

    tillstream replay run --store s1 --max-records-per-s 2000 --apply --why 'a look at s1'

    tillstream replay run --resume --apply --why 'the host was restarted'

**Exit codes**  0 done; 1 it failed, and can be resumed; 2 wrong options; 4 another operator is at work; 5
refused: the log no longer has all of it, or there is a shadow already; 130 stopped by Ctrl-C, and can be
resumed
"""


def register(replay: typer.Typer) -> None:
    """Add the commands to the group."""
    replay.command("plan", epilog=_PLAN)(plan)
    replay.command("run", epilog=_RUN)(run)


def plan(
    store: Store = None,
    order_id: OrderId = None,
    since: From = None,
    until: To = None,
    offsets: OffsetsOf = None,
    accept_gap: AcceptGap = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Read it all, to count; else sizes are from a sample.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a replay would read, how long it would take, and what would change; nothing is written."""
    from storage.rows import TARGETS

    scope = scope_of(store, order_id, since, until, offsets)
    accepted = [topic_of(name, TARGETS, "--accept-gap") for name in accept_gap or ()]

    async def look(desk: Desk) -> tuple[Outlook, str | None]:
        from streams.replay.outlook import outlook
        from streams.replay.plan import make_plan, refusal, unaccepted

        found = await make_plan(desk, scope)
        with progress("reading the log", quiet=as_json) as tell:
            seen = await outlook(desk, found, exact=exact, tell=tell)
        gaps = unaccepted(desk, found, accepted)
        return seen, refusal(desk, scope, gaps) if gaps else None

    seen, refused = at_desk(look)
    if as_json:
        print_json(_shown(seen) | {"refused": refused})
    else:
        _print_outlook(seen)
    if refused:
        raise failed(refused, Exit.REFUSED)


def run(
    store: Store = None,
    order_id: OrderId = None,
    since: From = None,
    until: To = None,
    offsets: OffsetsOf = None,
    accept_gap: AcceptGap = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the replay that there is, or bring it up to now.")
    ] = False,
    max_records_per_s: Annotated[
        float | None,
        typer.Option(
            "--max-records-per-s",
            min=1,
            help="Read no faster. [default: as fast as it goes]",
            show_default=False,
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port",
            min=1,
            max=65_535,
            envvar="TILLSTREAM_REPLAY_HTTP_PORT",
            help="Tell Prometheus meanwhile how far it is, at this port of TILLSTREAM_HTTP_HOST.",
            show_default=False,
        ),
    ] = None,
    apply: Apply = False,
    why: Why = None,
    who: Who = None,
    as_json: Json = False,
) -> None:
    """Write what the topics say into a schema of its own; the live history and its worker do not notice.

    Nothing is decided and no event is sent. It goes as far as the live history is when it begins. Stopped by
    Ctrl-C, by `replay cancel` or by anything else, it goes on with `--resume`.
    """
    from storage.rows import TARGETS

    scope = scope_of(store, order_id, since, until, offsets)
    if resume and not scope.whole:
        raise typer.BadParameter(
            "its range is the one that it began with: give no other", param_hint="--resume"
        )
    accepted = [topic_of(name, TARGETS, "--accept-gap") for name in accept_gap or ()]
    if not apply:
        if resume:
            status(as_json=as_json)
        else:
            plan(store, order_id, since, until, offsets, accept_gap, exact=False, as_json=as_json)
        return
    what = {"range": str(scope), "resume": resume, "accepted_gaps": accepted or None}
    placed = order("replay run", {key: value for key, value in what.items() if value}, why=why, who=who)

    async def work(desk: Desk) -> Replay:
        from streams.replay import run as running
        from streams.replay.telling import exported
        from streams.settings import load_settings

        host = load_settings().worker.http_host
        with progress("replaying", quiet=as_json) as shown:
            async with exported(shown, host, metrics_port) as tell:
                if resume:
                    return await running.resume(desk, placed, records_per_s=max_records_per_s, tell=tell)
                return await running.start(
                    desk, scope, placed, accepted=accepted, records_per_s=max_records_per_s, tell=tell
                )

    done = at_desk(work)
    if as_json:
        print_json(entry(done, at_work=False))
        return
    rate = f", {done.offsets_per_s:,.0f} offsets/s" if done.offsets_per_s else ""
    typer.echo(
        f"replay {done.replay_id} ({done.scope}) is ready: {done.records} records written{rate}."
        " `tillstream replay diff` compares it"
    )


def _shown(seen: Outlook) -> dict[str, Any]:
    import msgspec

    return {name: getattr(seen, name) for name in msgspec.structs.asdict(seen)}


def _print_outlook(seen: Outlook) -> None:
    about = "" if seen.exact else "about "
    print_table(
        "records in this range",
        (
            "topic", "partition", "from", "to", "log begins", "log ends",
            "records" if seen.exact else "records at most", "kB",
        ),
        (
            (
                part.topic, part.partition, part.begin, part.end, part.log_begin, part.log_end,
                part.records, round(part.size / 1e3),
            )
            for part in seen.parts
        ),
    )  # fmt: skip
    if seen.rows:
        print_table(
            "rows",
            ("table", f"{about if seen.scope.whole else ''}rows now", "rows by the log"),
            ((one.table, one.live, one.log) for one in seen.rows),
        )
    typer.echo(
        f"{seen.scope}: {'' if seen.exact else 'at most '}{seen.records} records,"
        f" {about}{seen.size / 1e6:,.1f} MB; about {seen.seconds:,.0f} s,"
        f" and {seen.disk / 1e6:,.0f} MB of disk for the shadow." + ("" if seen.exact else " --exact counts")
    )
