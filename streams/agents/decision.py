"""One decision within a unit of work: made whole and carried out, or refused with a dead letter."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from streams.agents import letters
from streams.agents.effects import carry_out, publish, send
from streams.domain import backlog, holding, waiting
from streams.domain.books import Books, Moment
from streams.domain.outcomes import Outcome
from streams.domain.tables import TABLES
from streams.runtime.unit import KafkaUnit
from topics.dead_letters import DeadLetter
from topics.errors import ContractError
from topics.event import Source
from topics.ids import StoreId
from topics.online_stock import OnlineStock

log = logging.getLogger(__name__)

REFUSED = "refused"
"""Counted like an outcome: dead letters."""


class UnitReader:
    """The tables, as the unit in hand has left them."""

    __slots__ = ("_views",)

    def __init__(self, unit: KafkaUnit) -> None:
        self._views = {name: unit.table(name) for name in TABLES}

    def get(self, table: str, key: bytes) -> Any:
        return self._views[table].get(key)

    def scan(self, table: str, prefix: bytes) -> Iterator[tuple[bytes, Any]]:
        return self._views[table].scan(prefix)


class Desk:
    """Decides messages within one unit; `unfinished` collects the stores that have more to do.

    What is wrong with one message never touches another: a broken contract makes a dead letter, and so does
    a fault in our own rules, with its traceback.
    """

    def __init__(self, unit: KafkaUnit, outcomes: Counter[str], unfinished: dict[StoreId, None]) -> None:
        self.unit = unit
        self._reader = UnitReader(unit)
        self._outcomes = outcomes
        self._unfinished = unfinished
        self._levels: dict[bytes, OnlineStock] = {}

    def decide(
        self,
        store_id: StoreId,
        moment: Moment,
        decide: Callable[[Books, Any], Outcome],
        message: Any,
        value: bytes,
        part: int | None = None,
        *,
        needs_link: bool = True,
    ) -> None:
        """Decide a message of a store, or hold it until the store's link has come (`needs_link`).

        `value` is its record's, for the letter if it comes to one.
        """
        if not needs_link:
            self._finish(store_id, moment)
        if part is not None:
            moment = msgspec.structs.replace(moment, part=part)
        books = Books(store_id, self._reader, moment)
        try:
            if needs_link and waiting.must_wait(books):
                outcome = waiting.hold(books, message)
            else:
                outcome = decide(books, message)
            carry_out(books.changes, self.unit, self._levels)
        except ContractError as error:
            error.part = part
            self.refuse(error, moment.source, value, moment.received_at, store_id)
        except Exception as fault:
            self.fail(fault, moment, value, store_id, getattr(message, "order_id", None), part)
        else:
            self._outcomes[outcome] += 1
            if backlog.unfinished(books):
                self._unfinished[store_id] = None

    def _finish(self, store_id: StoreId, moment: Moment) -> None:
        """Do all that a store has left to do: what came before a new link is decided by the old one."""
        while backlog.unfinished(Books(store_id, self._reader, moment)):
            self.step(store_id, moment.source)

    def step(self, store_id: StoreId, source: Source) -> bool:
        """Do the next thing that a store has left to do; False when nothing is left."""
        moment = Moment(source, self.unit.now, self.unit.now)
        books = Books(store_id, self._reader, moment)
        try:
            outcome = backlog.step(books)
            carry_out(books.changes, self.unit, self._levels)
        except Exception as fault:
            books = Books(store_id, self._reader, moment)
            skipped = backlog.skip(books)
            carry_out(books.changes, self.unit, self._levels)
            if skipped is None:
                self.fail(fault, moment, b"", store_id)
            else:
                held = skipped.held
                moment = holding.moment_of(held, self.unit.now)
                self.fail(fault, moment, bytes(held.body), store_id, skipped.order_id, held.part)
        else:
            if outcome is not None:
                self._outcomes[outcome] += 1
        return backlog.unfinished(books)

    def close(self) -> None:
        """Send what is sent once for all decisions of the desk: the online levels, as they are at its end."""
        publish(self._levels, self.unit)

    def refuse(
        self,
        error: ContractError,
        source: Source,
        value: bytes,
        received_at: datetime,
        store_id: StoreId | None,
    ) -> None:
        """Send a record that breaks its contract to the dead letters."""
        self._send(letters.refused(error, source, value, received_at, self.unit.now, store_id))

    def fail(
        self,
        fault: Exception,
        moment: Moment,
        value: bytes,
        store_id: StoreId | None,
        order_id: Any = None,
        part: int | None = None,
    ) -> None:
        """Send a record on which our own rules failed to the dead letters, with the traceback."""
        if isinstance(fault, ContractError):
            if fault.part is None:
                fault.part = part
            self.refuse(fault, moment.source, value, moment.received_at, store_id)
            return
        self._send(
            letters.failed(
                fault,
                moment.source,
                value,
                moment.received_at,
                self.unit.now,
                store_id,
                order_id=order_id,
                part=part,
            )
        )

    def _send(self, letter: DeadLetter) -> None:
        # Neither the detail nor a fault's own message goes to the log: either may quote a customer.
        source = letter.source
        log.warning(
            "dead letter (%s): %s/%s@%s", letter.reason, source.topic, source.partition, source.offset
        )
        self._outcomes[REFUSED] += 1
        send(letter, self.unit)
