"""A replay from its beginning to its end, or to the next time that it goes on."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from storage.operations import replays
from storage.operations.audit import Order, audited
from storage.operations.replays import Gap, Replay
from storage.operations.turn import turn
from storage.progress import Span
from storage.replay import letters, shadow
from storage.replay.bonds import owner
from storage.replay.scope import Scope
from storage.replay.shadow import SHADOW
from storage.schema import HISTORY
from streams.replay.desk import Desk
from streams.replay.errors import CancelledByOperatorError, RefusedError
from streams.replay.materialise import materialise
from streams.replay.plan import make_plan, refusal, unaccepted, up_to
from streams.replay.sieve import sieve

Tell = Callable[[int, int], None]
"""Called with the offsets that are done and due."""

ENTER_EVERY_S = 0.5


def silent(_done: int, _due: int) -> None:
    """Tell nobody."""


async def start(
    desk: Desk,
    scope: Scope,
    order: Order,
    *,
    accepted: Collection[str] = (),
    records_per_s: float | None = None,
    tell: Tell = silent,
) -> Replay:
    """Make the shadow and write what the scope says, up to where the live history stands now.

    Raises BusyError, or RefusedError when the log no longer has all of it, or there is a shadow already.
    CancelledByOperatorError when someone cancels it; it can be resumed then, as after any other end.
    """
    async with turn(desk.connection, replays.TURN):
        await _check_free(desk)
        plan = await make_plan(desk, scope)
        if gaps := unaccepted(desk, plan, accepted):
            raise RefusedError(refusal(desk, scope, gaps))
        async with audited(desk.connection, order) as result:
            number = await replays.begin(desk.connection, scope, plan.spans, plan.gaps, plan.offsets)
            result["replay"] = number
            return await _run(desk, number, plan.spans, result, records_per_s, tell)


async def resume(
    desk: Desk, order: Order, *, records_per_s: float | None = None, tell: Tell = silent
) -> Replay:
    """Go on with the replay that the shadow is of; one that is ready catches up with the live history.

    Raises BusyError, RefusedError when there is none.
    """
    async with turn(desk.connection, replays.TURN):
        replay = await replays.of_shadow(desk.connection)
        if replay is None:
            raise RefusedError("There is no replay to go on with: begin one with `tillstream replay run`")
        async with audited(desk.connection, order) as result:
            result["replay"] = replay.replay_id
            spans = await up_to(desk, replay.scope, replay.spans)
            await replays.resume(desk.connection, replay.replay_id)
            return await _run(desk, replay.replay_id, spans, result, records_per_s, tell)


async def catch_up(desk: Desk, replay: Replay, spans: Sequence[Span], tell: Tell = silent) -> None:
    """Bring a ready shadow as far as the spans go; the caller has the turn."""
    # A newer program may have been installed since it was written.
    await shadow.make(desk.connection)
    await _write(desk, replay.replay_id, replay.scope, spans, None, tell)


async def _check_free(desk: Desk) -> None:
    replay = await replays.of_shadow(desk.connection)
    if replay is not None:
        raise RefusedError(
            f"There is a shadow already: replay {replay.replay_id} ({replay.scope}; {replay.state}). Go on"
            " with it (`tillstream replay run --resume`), swap it in, or remove it (`tillstream replay drop`)"
        )
    if await shadow.exists(desk.connection, SHADOW):
        raise RefusedError(
            f"There is a schema {SHADOW.name} that no replay has: look what it is, and remove it with"
            " `tillstream replay drop`"
        )
    name, is_own = await owner(desk.connection, HISTORY)
    if not is_own:
        raise RefusedError(
            f"The schema {HISTORY.name} is {name}'s: a replay makes another like it and may take its place,"
            f" so run it as {name} (TILLSTREAM_POSTGRES_DSN or …_USER)"
        )


async def _run(
    desk: Desk,
    number: int,
    spans: Sequence[Span],
    result: dict[str, Any],
    records_per_s: float | None,
    tell: Tell,
) -> Replay:
    (replay,) = await replays.list_replays(desk.connection, replay_id=number)
    try:
        await shadow.make(desk.connection)
        if replay.scope.whole and (gaps := _letter_gaps(desk, replay)):
            result["letters_carried"] = await letters.carry(desk.connection, gaps)
        await _write(desk, number, replay.scope, spans, records_per_s, tell)
    except (asyncio.CancelledError, CancelledByOperatorError):
        await _enter_end(desk, number, "cancelled")
        raise
    except Exception as error:
        await _enter_end(desk, number, "failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        if not desk.connection.is_closed():
            (replay,) = await replays.list_replays(desk.connection, replay_id=number)
            result |= {"offsets": replay.offsets_done, "records": replay.records}
    await replays.end(desk.connection, number, "ready")
    (replay,) = await replays.list_replays(desk.connection, replay_id=number)
    return replay


def _letter_gaps(desk: Desk, replay: Replay) -> list[Gap]:
    return [gap for gap in replay.gaps if desk.topic(gap.topic) == letters.TOPIC]


async def _enter_end(desk: Desk, number: int, state: str, error: str | None = None) -> None:
    # A session that is gone leaves the replay `running` without anybody at work: to be resumed as well.
    if not desk.connection.is_closed():
        await replays.end(desk.connection, number, state, error)


async def _write(
    desk: Desk,
    number: int,
    scope: Scope,
    spans: Sequence[Span],
    records_per_s: float | None,
    tell: Tell,
) -> None:
    begins = {(span.topic, span.partition): span.begin for span in spans}
    await shadow.seed(desk.connection, SHADOW, desk.consumer, begins)
    stands = await shadow.positions(desk.connection, SHADOW, desk.consumer)
    due = sum(span.offsets for span in spans)
    done = due - sum(max(0, span.end - stands[span.topic, span.partition]) for span in spans)
    await replays.target(desk.connection, number, spans, due, done)
    tell(done, due)
    history = desk.history(SHADOW)
    offsets = records = 0
    entered = time.monotonic()
    try:
        async for step in materialise(desk.log, history, spans, sieve(scope), records_per_s=records_per_s):
            offsets += step.offsets
            records += step.records
            done += step.offsets
            tell(done, due)
            if (busy_s := time.monotonic() - entered) >= ENTER_EVERY_S:
                asked = await replays.move(
                    desk.connection, number, offsets=offsets, records=records, busy_s=busy_s
                )
                offsets, records, entered = 0, 0, time.monotonic()
                if asked and done < due:
                    raise CancelledByOperatorError(
                        f"Replay {number} was cancelled by another operator after {done} of {due} offsets:"
                        " go on with `tillstream replay run --resume`, or remove it with `tillstream replay"
                        " drop`"
                    )
        busy_s = time.monotonic() - entered
        await replays.move(
            desk.connection, number, offsets=due - done + offsets, records=records, busy_s=busy_s
        )
    finally:
        await history.close()
