"""A consumer group's coordinator: static members, generations, sessions that run out."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from aiokafka.errors import UnknownMemberIdError

from tests.simulation.trace import Trace

SESSION_S = 1.0
REBALANCE_S = 3.0
HEARTBEAT_S = 0.3

Assignment = tuple[int, list[int]]
"""A generation, and the partition numbers that a member has in it."""


class Group:
    """Hands partition numbers to members; one that is silent for a session loses its own."""

    def __init__(
        self, name: str, partitions: int, loop: asyncio.AbstractEventLoop, random: Random, trace: Trace
    ) -> None:
        self.name = name
        self._partitions = partitions
        self._loop = loop
        self._random = random
        self._trace = trace
        self._generation = 0
        self._assigned: dict[str, list[int]] = {}
        self._members: dict[str, Any] = {}
        """Member id to the process that is it."""
        self._joining: dict[str, asyncio.Future[Assignment]] | None = None

    def join(self, member: str, process: Any) -> asyncio.Future[Assignment]:
        """Ask for an assignment. One that comes back in time under its id has its own again."""
        answer: asyncio.Future[Assignment] = self._loop.create_future()
        came_back = member in self._members and self._members[member] is not process
        self._members[member] = process
        if self._joining is None and came_back and member in self._assigned:
            answer.set_result((self._generation, self._assigned[member]))
            return answer
        self.rebalance()
        assert self._joining is not None
        self._joining[member] = answer
        self._complete_if_all_came()
        return answer

    def rebalance(self) -> None:
        """Have all members join again."""
        if self._joining is not None:
            return
        self._joining = {}
        joining = self._joining
        for member, process in sorted(self._members.items()):
            self._loop.call_later(self._random.random() * HEARTBEAT_S, self._tell, member, process)
        self._loop.call_later(REBALANCE_S, self._time_is_up, joining)

    def silent(self, member: str, process: Any) -> None:
        """Note that a process is heard no more; `heard` in time undoes it."""
        self._loop.call_later(SESSION_S, self._expire, member, process)

    def heard(self, member: str, process: Any) -> None:
        """Note that a process goes on: with its next heartbeat it learns what it missed."""
        self._loop.call_later(self._random.random() * HEARTBEAT_S, self._tell, member, process)

    def leave(self, member: str) -> None:
        """Have a member go for good."""
        if self._members.pop(member, None) is not None:
            self.rebalance()
            self._complete_if_all_came()

    def _tell(self, member: str, process: Any) -> None:
        """Answer a heartbeat: whoever has no place in the group, or is asked to join again, hears of it."""
        if not process.alive or process.paused:
            return
        if self._members.get(member) is not process or (
            self._joining is not None and member not in self._joining
        ):
            process.rebalance.set()

    def _expire(self, member: str, process: Any) -> None:
        known = self._members.get(member)
        if known is None or known is not process:
            return
        if not known.alive or known.paused:
            self._trace.note(self.name, "session over", member)
            del self._members[member]
            waits = None if self._joining is None else self._joining.pop(member, None)
            if waits is not None and not waits.done():
                waits.set_exception(UnknownMemberIdError(member))
            self.rebalance()
            self._complete_if_all_came()

    def _time_is_up(self, joining: dict[str, asyncio.Future[Assignment]]) -> None:
        if self._joining is joining:
            self._members = {member: self._members[member] for member in joining}
            self._complete()

    def _complete_if_all_came(self) -> None:
        if self._joining is not None and self._joining.keys() == self._members.keys():
            self._complete()

    def _complete(self) -> None:
        assert self._joining is not None
        joining, self._joining = self._joining, None
        self._generation += 1
        members = sorted(joining)
        self._assigned = {member: [] for member in members}
        if members:
            self._random.shuffle(members)
            for partition in range(self._partitions):
                self._assigned[members[partition % len(members)]].append(partition)
        self._trace.note(self.name, "generation", (self._generation, self._assigned))
        for member, answer in joining.items():
            if not answer.done():
                answer.set_result((self._generation, self._assigned[member]))
