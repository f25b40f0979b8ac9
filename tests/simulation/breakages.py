"""Builds that are broken on purpose: each must be found out, else the simulation proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any

from storage import history, progress, sink
from storage.intake import Unit
from streams.runtime import recovery, stock, transactions
from streams.runtime.errors import UnitError
from streams.runtime.positions import Start, start_positions
from streams.runtime.transactions import Transactor
from streams.runtime.unit import Offsets, Sealed
from tests.simulation import workers
from tests.simulation.bench import instead
from tests.simulation.clients import BulkConsumer, Producer, lost
from tests.simulation.faust import Consumer
from tests.simulation.postgres import ProgressKey, Session


def _instead(where: Any, name: str, part: Any) -> AbstractContextManager[None]:
    return instead([(where, name, part)])


class _Unfenced(Producer):
    """A producer whose transactional id is its own: nobody who takes over fences it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.transactional_id += f"-{self._seat.process.name}"


class _OffsetsOutside(Producer):
    """A producer that commits the offsets when its transaction is over."""

    async def send_offsets_to_transaction(self, offsets: Offsets, group_id: str) -> None:
        self._later = (group_id, dict(offsets))

    async def commit_transaction(self) -> None:
        await super().commit_transaction()
        group, offsets = self.__dict__.pop("_later", ("", {}))
        cluster = self._cluster
        await self._seat.process.call("offsets", lambda: cluster.offsets[group].update(offsets), lost)


class _Uncommitted(BulkConsumer):
    """Restores from what may yet be taken back."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings | {"isolation_level": "read_uncommitted"})


async def _apply_first(self: Transactor, unit: Sealed, offsets: Offsets) -> None:
    unit.apply()
    await _commit(self, unit, offsets)


async def _go_on(self: Transactor, unit: Sealed, offsets: Offsets) -> None:
    with suppress(UnitError):
        await _commit(self, unit, offsets)  # and as if it had been, when it was not


async def _try_again(self: Transactor, unit: Sealed, offsets: Offsets) -> None:
    try:
        await _commit(self, unit, offsets)
    except UnitError:
        for batches in unit.batches.values():
            for batch in batches:
                batch.closed = False  # type: ignore[attr-defined]
        await self._producer.start()
        await _commit(self, unit, offsets)


_commit = Transactor.commit


async def _not_looked(*_: Any) -> None:
    """Begin the next transaction whether or not the last one shows."""


async def _no_recovery(*_: Any) -> None:
    pass


def _from_the_end(wanted: Any, logs: Any, keeper: str, remedy: str) -> Start:
    """Begin a partition that has no offset with what comes next, as a plain consumer may."""
    known = {tp: logs[tp].end if offset is None else offset for tp, offset in wanted.items()}
    return start_positions(known, logs, keeper, remedy)


def _move_always(self: Session, key: ProgressKey, expected: int | None, after: int) -> bool:
    assert self.changes is not None
    self.changes.progress[key] = after
    return True


async def _progress_apart(connection: Session, consumer: str, partition: int, unit: Unit) -> None:
    async with connection.transaction():
        for name, entries in unit.entries.items():
            target = sink.TARGETS[name]  # type: ignore[attr-defined]  # the played ones
            await target.write(connection, entries, careful=False)
    async with connection.transaction():
        await progress.advance(connection, consumer, partition, unit.moves)


BREAKAGES: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    "no fencing": lambda: _instead(transactions, "AIOKafkaProducer", _Unfenced),
    "offsets outside the transaction": lambda: _instead(transactions, "AIOKafkaProducer", _OffsetsOutside),
    "tables before the commit": lambda: _instead(Transactor, "commit", _apply_first),
    "going on after a failed commit": lambda: _instead(Transactor, "commit", _go_on),
    "trying a failed commit again": lambda: _instead(Transactor, "commit", _try_again),
    "not looking whether a commit shows": lambda: _instead(Transactor, "_show", _not_looked),
    "not looking what the last owner left": lambda: _instead(Transactor, "settle", _not_looked),
    "no recovery": lambda: _instead(stock, "restore", _no_recovery),
    "tables from uncommitted changes": lambda: _instead(recovery, "AIOKafkaConsumer", _Uncommitted),
    "uncommitted reads": lambda: _instead(workers, "Consumer", partial(Consumer, committed=False)),
    "from the end where no offset is": lambda: _instead(stock, "start_positions", _from_the_end),
    "no fencing in Postgres": lambda: _instead(Session, "_move", _move_always),
    "progress outside the transaction": lambda: _instead(history, "write_unit", _progress_apart),
}
"""By what is wrong with them."""
