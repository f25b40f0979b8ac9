"""The played database: progress rows with locks, which events have been written, and the last revisions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from storage.queries import query
from tests.simulation.process import Process

LOCK_S = 3.0
READ = query("progress.read_positions")
ADVANCE = query("progress.advance")
BEGIN = query("progress.begin")
END_OTHERS = query("progress.end_other_sessions")

ProgressKey = tuple[str, int, str]
"""Consumer, partition, topic."""
EventKey = tuple[str, int, int]
"""Topic, partition, offset."""
RowKey = tuple[str, str]
"""A topic of the registry, and what the row is of."""


@dataclass
class Contents:
    """All that is in the database."""

    progress: dict[ProgressKey, int] = field(default_factory=dict)
    written: set[EventKey] = field(default_factory=set)
    rows: dict[RowKey, tuple[int, bytes]] = field(default_factory=dict)


@dataclass
class Changes:
    """What a transaction will change."""

    progress: dict[ProgressKey, int] = field(default_factory=dict)
    events: list[tuple[EventKey, RowKey, int, bytes]] = field(default_factory=list)


class Server:
    """Postgres: it can be away, go back to a backup, and end sessions."""

    def __init__(self, loop: asyncio.AbstractEventLoop, broken: Callable[[str], None]) -> None:
        self.loop = loop
        self.contents = Contents()
        self.up = True
        self.sessions: list[Session] = []
        self.locks: dict[ProgressKey, Session] = {}
        self._broken = broken
        self._waiting: list[asyncio.Future[None]] = []
        self._backup = Contents()

    def stop(self) -> None:
        """Go away; all sessions end, and what they had not committed."""
        self.up = False
        for session in list(self.sessions):
            session.end()

    def start(self) -> None:
        self.up = True

    def back_up(self) -> None:
        self._backup = deepcopy(self.contents)

    def restore(self) -> None:
        """Go back to the backup."""
        self.stop()
        self.contents = deepcopy(self._backup)
        self.start()

    def commit(self, changes: Changes) -> None:
        contents = self.contents
        for key, row, revision, value in changes.events:
            if key in contents.written:
                self._broken(f"{key[0]}/{key[1]}@{key[2]} is written to Postgres twice")
            contents.written.add(key)
            held = contents.rows.get(row)
            if held is None or held[0] < revision:
                contents.rows[row] = (revision, value)
        contents.progress.update(changes.progress)

    def unlock(self, session: Session) -> None:
        self.locks = {key: owner for key, owner in self.locks.items() if owner is not session}
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def freed(self) -> asyncio.Future[None]:
        """Return what is done when some lock is free."""
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(future)
        return future


class Transaction:
    """What `async with connection.transaction()` is; one within another keeps or drops its own part."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._outer: Changes | None = None

    async def __aenter__(self) -> None:
        session = self._session
        self._outer = session.changes
        session.changes = deepcopy(session.changes) if session.changes is not None else Changes()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        session, outer = self._session, self._outer
        changes, session.changes = session.changes, outer
        if outer is not None:
            if kind is None:
                session.changes = changes
            return
        try:
            if kind is None and changes is not None:
                await session.ask("pg commit", lambda: session.server.commit(changes))
        finally:
            session.server.unlock(session)


class Session:
    """A connection of the history worker."""

    def __init__(self, server: Server, process: Process, name: str) -> None:
        self.server = server
        self.name = name
        self.changes: Changes | None = None
        self._process = process
        self._closed = False
        server.sessions.append(self)

    @classmethod
    async def open(cls, server: Server, process: Process, name: str) -> Session:
        def enter() -> Session:
            if not server.up:
                raise ConnectionRefusedError("nobody listens")
            return cls(server, process, name)

        session: Session = await process.call("pg connect", enter, _away, name)
        return session

    def is_closed(self) -> bool:
        return self._closed

    def end(self) -> None:
        """End as from the server's side."""
        self._closed = True
        if self in self.server.sessions:
            self.server.sessions.remove(self)
        self.server.unlock(self)

    terminate = end

    def transaction(self) -> Transaction:
        return Transaction(self)

    async def ask(self, request: str, apply: Callable[[], Any], what: Any = "") -> Any:
        if self._closed:
            raise asyncpg.InterfaceError("the connection is closed")

        def answer() -> Any:
            if self._closed:
                raise _away()
            return apply()

        def lost() -> Exception:
            self.end()
            return _away()

        return await self._process.call(request, answer, lost, what)

    async def fetch(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        if sql == READ:
            consumer, topics, partitions = arguments
            keys = [(consumer, number, topic) for topic, number in zip(topics, partitions, strict=True)]
            return await self.ask(  # type: ignore[no-any-return]
                "pg read",
                lambda: [
                    (key[2], key[1], self.server.contents.progress[key])
                    for key in keys
                    if key in self.server.contents.progress
                ],
            )
        if sql == ADVANCE:
            consumer, partition, topics, expected, nexts = arguments
            moves = list(zip(topics, expected, nexts, strict=True))
        elif sql == BEGIN:
            consumer, partition, topics, nexts = arguments
            moves = [(topic, None, after) for topic, after in zip(topics, nexts, strict=True)]
        else:
            assert sql == END_OTHERS, f"a statement that the played server does not know: {sql}"
            return await self._end_others()
        moved: list[tuple[Any, ...]] = []
        for topic, at, after in moves:
            key = (consumer, partition, topic)
            await self._lock(key)
            if await self.ask("pg move", lambda key=key, at=at, after=after: self._move(key, at, after), key):  # type: ignore[misc]
                moved.append((topic,))
        return moved

    def write(self, key: EventKey, row: RowKey, revision: int, value: bytes) -> None:
        """Write an event in the open transaction."""
        assert self.changes is not None, "a row that is written outside a transaction"
        self.changes.events.append((key, row, revision, value))

    def _move(self, key: ProgressKey, expected: int | None, after: int) -> bool:
        assert self.changes is not None, "progress that is moved outside a transaction"
        if self.server.contents.progress.get(key) != expected:
            return False
        self.changes.progress[key] = after
        return True

    async def _lock(self, key: ProgressKey) -> None:
        deadline = self.server.loop.time() + LOCK_S
        while (owner := self.server.locks.get(key)) is not None and owner is not self:
            left = deadline - self.server.loop.time()
            if left <= 0:
                raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
            await asyncio.wait({self.server.freed()}, timeout=left)
            await self._process.awake()
        if not self._closed:
            self.server.locks[key] = self

    async def _end_others(self) -> list[tuple[Any, ...]]:
        def end() -> list[tuple[Any, ...]]:
            others = [one for one in self.server.sessions if one.name == self.name and one is not self]
            for other in others:
                other.end()
            return [(True,) for _ in others]

        return await self.ask("pg end others", end)  # type: ignore[no-any-return]


def _away() -> Exception:
    error: Exception = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    return error
