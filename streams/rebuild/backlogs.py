"""What stores still had to decide when the tables were lost."""

from __future__ import annotations

from collections import defaultdict

from streams.domain import queues, tables
from streams.domain.holding import held_from
from streams.rebuild.draft import Draft
from streams.rebuild.inbound import Told
from topics.ids import StoreId


class Backlogs:
    """The backlogs, in the order in which their messages came; topics are read beside each other."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._held: defaultdict[StoreId, list[Told]] = defaultdict(list)

    @property
    def held(self) -> int:
        return sum(map(len, self._held.values()))

    def hold(self, told: Told) -> None:
        """Keep a message that was not decided."""
        self._held[told.store_id].append(told)

    def finish(self) -> None:
        """Make the queues."""
        for store_id, waiting in self._held.items():
            # A stable sort: what came at the same time on one topic stays in the order of its offsets.
            for told in sorted(waiting, key=lambda one: one.moment.received_at):
                books = self._draft.books(store_id, told.moment, {})
                queues.join(books, queues.BACKLOG, held=held_from(told.moment, told.message))
                self._draft.take(books.changes.puts, (tables.QUEUES, tables.WAITING))
