"""The history worker's way into Postgres: positions, units, and patience while Postgres is away."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from storage import progress
from storage.backoff import Backoff
from storage.connection import CLIENT_ERRORS, WRITING, connect, passes
from storage.encoding import prepare
from storage.intake import Batch, take_in
from storage.progress import Place
from storage.rows import TARGETS
from storage.schema import HISTORY, Schema, check
from storage.sink import write_unit

log = logging.getLogger(__name__)

T = TypeVar("T")
_LOCK_NOT_AVAILABLE = "55P03"
# So many times in a row, each on a new session, the client library may be at odds with itself.
CONFUSED_TIMES = 5
# A rollback that takes longer than this is left to the server.
ROLLBACK_S = 1.0


class Trouble(NamedTuple):
    """Why nothing is written at the moment; `since` is a `time.monotonic()`."""

    since: float
    reason: str


class History:
    """Writes the topics' events into Postgres, each exactly once, one session per partition number.

    `options` are those of `asyncpg.connect`; `consumer` names the progress; `prefix` is what topic names
    begin with; `schema` is where the tables are. Errors that pass (Postgres down, restarting, read-only, out
    of connections, a deadlock) are waited out for ever, with a warning each time, and stand in `trouble`
    meanwhile. Others are raised: the worker stops and nothing has been skipped.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        consumer: str,
        prefix: str = "",
        schema: Schema = HISTORY,
    ) -> None:
        self._options = options
        self._schema = schema
        # Writers of the same name end each other's sessions: those of a shadow are not those of the history.
        self._name = schema.name if schema != HISTORY else "tillstream"
        self._consumer = consumer
        self._topics = {f"{prefix}{name}": name for name in TARGETS}
        self._positions: dict[Place, int | None] = {}
        self._sessions: dict[int, Any] = {}
        self._troubles: dict[str, Trouble] = {}
        self.records = 0
        """Records written since the start."""
        self.units = 0
        """Transactions committed since the start."""

    @property
    def topics(self) -> Collection[str]:
        """The topics that become rows, with their prefix."""
        return self._topics.keys()

    @property
    def trouble(self) -> Trouble | None:
        """The longest trouble at the moment, None when all is well."""
        return min(self._troubles.values(), default=None)

    async def positions(self, places: Iterable[Place]) -> dict[Place, int | None]:
        """Return the offset at which each (topic, partition) goes on, None where nothing is written yet.

        To be asked when partitions are assigned, before their first `write`. Raises UnknownSchemaError when
        the database is not of this program's version.
        """
        asked = {(topic, partition): (topic, partition) for topic, partition in places}
        await self.release({partition for _, partition in asked})

        async def read() -> dict[Place, int | None]:
            connection = await connect(
                self._options, name=f"{self._name} {self._consumer}", schema=self._schema.name
            )
            try:
                await check(connection, self._schema)
                return await progress.read(connection, self._consumer, asked)
            finally:
                connection.terminate()

        found = await self._patiently("positions", read)
        self._positions.update(found)
        return found

    async def write(self, partition: int, batches: Sequence[Batch]) -> None:
        """Write a partition's batches and its progress in one transaction.

        Raises FencedError when another worker has taken over, OutOfPlaceError when a batch does not begin
        where the history ends. After an error, or when cancelled, `positions` must be asked again.
        """
        unit = take_in(partition, batches, self._positions, self._topics)
        if not unit.moves:
            return
        tried = False

        async def attempt() -> None:
            nonlocal tried
            session = await self._session(partition)
            # The answer to a commit may have been lost with the session.
            if tried and await progress.reached(session, self._consumer, partition, unit.moves):
                return
            tried = True
            await write_unit(session, self._consumer, partition, unit)

        try:
            await self._interruptibly(
                partition, self._patiently(f"partition {partition}", attempt, partition)
            )
        except BaseException:
            # Whether it was written is not known here: Postgres tells, when positions are asked again.
            await self.release({partition})
            raise
        for move in unit.moves:
            self._positions[move.topic, partition] = move.next_offset
        self.records += unit.records
        self.units += 1

    async def release(self, partitions: Collection[int] | None = None) -> None:
        """Forget partitions that went to another worker, and close their sessions; None: all."""
        gone = (
            {place[1] for place in self._positions} | self._sessions.keys()
            if partitions is None
            else partitions
        )
        for partition in gone:
            self._drop(partition)
        for place in [place for place in self._positions if place[1] in gone]:
            del self._positions[place]

    async def close(self) -> None:
        """Close all sessions; what was not committed is rolled back."""
        await self.release()

    async def _session(self, partition: int) -> Any:
        session = self._sessions.get(partition)
        if session is None or session.is_closed():
            name = f"{self._name} {partition} {self._consumer}"
            session = await connect(self._options, name=name, settings=WRITING, schema=self._schema.name)
            await prepare(session)
            self._sessions[partition] = session
        return session

    def _drop(self, partition: int) -> None:
        # Closed at once: after an error or a cancellation there is nothing to say to the server any more.
        if session := self._sessions.pop(partition, None):
            session.terminate()

    async def _interruptibly(self, partition: int, work: Coroutine[Any, Any, None]) -> None:
        """Await the work. When cancelled, let it roll back; if Postgres has no answer to that, hang up."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            try:
                await asyncio.wait({task}, timeout=ROLLBACK_S)
            finally:
                self._drop(partition)
            await asyncio.wait({task})
            raise

    async def _patiently(
        self, what: str, attempt: Callable[[], Awaitable[T]], partition: int | None = None
    ) -> T:
        backoff = Backoff()
        confused = 0
        while True:
            try:
                result = await attempt()
            except Exception as error:
                confused = confused + 1 if isinstance(error, CLIENT_ERRORS) else 0
                if not (passes(error) or 0 < confused <= CONFUSED_TIMES):
                    raise
                code = getattr(error, "sqlstate", None)
                since = self._troubles.get(what, Trouble(time.monotonic(), "")).since
                self._troubles[what] = Trouble(since, f"{type(error).__name__}{f' {code}' if code else ''}")
                wait = backoff.next()
                log.warning(
                    "%s: Postgres does not take the history (%s) since %.1f s; nothing is lost, trying again"
                    " in %.1f s",
                    what,
                    self._troubles[what].reason,
                    time.monotonic() - since,
                    wait,
                )
                if partition is not None:
                    await self._after(partition, code)
                await asyncio.sleep(wait)
            else:
                if trouble := self._troubles.pop(what, None):
                    log.warning("%s: Postgres is back after %.1f s", what, time.monotonic() - trouble.since)
                return result

    async def _after(self, partition: int, code: str | None) -> None:
        session = self._sessions.get(partition)
        if code == _LOCK_NOT_AVAILABLE and session is not None and not session.is_closed():
            try:
                ended = await progress.end_other_sessions(session)
            except Exception as error:
                if not (passes(error) or isinstance(error, CLIENT_ERRORS)):
                    log.warning("partition %s: cannot end its other sessions: %s", partition, error)
            else:
                if ended:
                    log.warning(
                        "partition %s: ended %s session(s) of a worker that was stopped in mid-write",
                        partition,
                        ended,
                    )
        self._drop(partition)
