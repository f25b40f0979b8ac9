"""A shadow against the live history, at one common position."""

from collections.abc import Callable
from datetime import date

import msgspec

from storage.operations import replays
from storage.operations.replays import Replay
from storage.operations.turn import turn
from storage.replay import shadow
from storage.replay.compare import Comparison, Difference, TableCompared
from storage.replay.compared import Side, pruned, tables
from storage.replay.measures import GROUPS, Figure, figures, measure
from storage.replay.scope import Scope
from storage.replay.shadow import SHADOW
from storage.schema import HISTORY
from streams.replay.desk import Desk
from streams.replay.errors import RefusedError
from streams.replay.plan import up_to
from streams.replay.run import Tell, catch_up, silent

Say = Callable[[str], None]
"""Called with what is being done now."""


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """`figures` are sums by day or outlet, `samples` some of the rows that differ."""

    replay_id: int
    scope: Scope
    pruned: dict[str, date]
    """By table, the day before which nothing was compared, for it was pruned."""
    tables: list[TableCompared]
    figures: dict[str, list[Figure]]
    samples: list[Difference]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return all(one.same for one in self.tables) and all(
            one.same for some in self.figures.values() for one in some
        )


async def diff(
    desk: Desk,
    *,
    store_id: str | None = None,
    by: tuple[str, ...] = tuple(GROUPS),
    sample: int = 10,
    tell: Tell = silent,
    say: Say = lambda _: None,
) -> Diff:
    """Compare all that the replay's scope says, or of it only a store.

    The live history is seen as it is at one moment, and the shadow is brought exactly as far first, so that
    both may go on meanwhile. Of a scope with a beginning or an end in the log, what the live history has
    later revisions of is left out. Raises BusyError, or RefusedError when the shadow is not whole yet.
    """
    async with turn(desk.connection, replays.TURN):
        replay = await _ready(desk, store_id)
        scope = replay.scope
        if store_id is not None:
            scope = msgspec.structs.replace(scope, store_id=store_id)
        live, other = await desk.session(), await desk.session(SHADOW)
        try:
            async with live.transaction(isolation="repeatable_read", readonly=True):
                # The first statement: from here on the session sees this moment.
                stands = await shadow.positions(live, HISTORY, desk.consumer)
                say("bringing the shadow as far as the live history")
                spans = await up_to(desk, replay.scope, replay.spans, stands)
                await catch_up(desk, replay, spans, tell)
                async with other.transaction(isolation="repeatable_read", readonly=True):
                    return await _compare(replay, scope, live, other, by=by, sample=sample, say=say)
        finally:
            live.terminate()
            other.terminate()


async def _ready(desk: Desk, store_id: str | None) -> Replay:
    replay = await replays.of_shadow(desk.connection)
    if replay is None:
        raise RefusedError("There is no shadow to compare: `tillstream replay run` makes one")
    if replay.state != "ready":
        raise RefusedError(
            f"Replay {replay.replay_id} is not whole yet ({replay.state}, {replay.offsets_done} of"
            f" {replay.offsets_due} offsets): `tillstream replay run --resume`, then compare"
        )
    own = replay.scope.store_id
    if store_id is not None and own not in (None, store_id):
        raise RefusedError(f"Replay {replay.replay_id} is of store {own}: it has nothing of store {store_id}")
    return replay


async def _compare(
    replay: Replay,
    scope: Scope,
    live: object,
    other: object,
    *,
    by: tuple[str, ...],
    sample: int,
    say: Say,
) -> Diff:
    known = await tables(other, SHADOW)
    gone = await pruned(other)
    ours = Side(HISTORY, SHADOW, scope, live=True, pruned=gone)
    theirs = Side(SHADOW, HISTORY, scope, live=False, pruned=gone)
    comparison = Comparison((live, ours), (other, theirs), known)
    compared = []
    # A sale that differs says more than its lines: it is sampled first.
    for table in sorted(known.values(), key=lambda one: (one.name != "sales", one.name)):
        say(f"comparing {table.name}")
        compared.append(await comparison.rows(table, sample))
    sums = {}
    for group in by:
        say(f"adding up by {group}")
        reader = other if scope.bounded else live
        sums[group] = figures(
            await measure(reader, ours, group, known), await measure(other, theirs, group, known)
        )
    return Diff(
        replay_id=replay.replay_id,
        scope=scope,
        pruned=gone,
        tables=sorted(compared, key=lambda one: one.table),
        figures=sums,
        samples=await comparison.samples(),
    )
