"""A redrive from choice to end: what an earlier one left is settled, then each record is sent once."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from enum import Enum
from typing import Any

import msgspec

from storage.lookups.dead_letters import Choice, DeadLetterListed, list_dead_letters
from storage.operations import dead_letters as notes
from storage.operations.audit import Order, audited
from storage.operations.turn import turn
from streams.redrive.errors import RedriveError, RefusedError
from streams.redrive.originals import Originals
from streams.redrive.plan import Planned, Prepared, in_portions, prepared
from streams.redrive.preparing import Given, Outgoing
from streams.redrive.sender import NothingSentError, Sender
from streams.redrive.settling import look
from streams.settings import Settings

TURN = "dead letters"
_SHOWN = 5


class Step(Enum):
    """What a redrive reports as it goes, with a number of letters (SETTLED: of records that were read)."""

    SETTLED = "settled"
    CHOSEN = "chosen"
    READ = "read"
    SENDABLE = "sendable"
    NOTED = "noted"
    PUT = "put"
    COMMITTED = "committed"
    SENT = "sent"


Progress = Callable[[Step, int], None]


class Report(msgspec.Struct, kw_only=True):
    """What a redrive did, or would do: `applied` false is a dry run.

    `already` were sent before; `settled_…` were left in doubt by a redrive that was broken off.
    """

    applied: bool
    chosen: int = 0
    sendable: int = 0
    refused: int = 0
    already: int = 0
    sent: int = 0
    settled_as_sent: int = 0
    settled_as_not_sent: int = 0
    letters: list[Planned] = []

    def numbers(self) -> dict[str, Any]:
        """Return the counts, for the audit."""
        found = msgspec.to_builtins(self)
        del found["applied"], found["letters"]
        return dict(found)


async def plan(
    connection: Any, settings: Settings, choice: Choice, given: Given, progress: Progress
) -> Report:
    """Say what a redrive of the chosen letters would do; RefusedError when one that is named is not there."""
    async with Originals(settings) as originals:
        work = _Redrive(connection, originals, given, progress)
        await work.choose(choice, settled=False)
    return work.report


async def redrive(
    connection: Any,
    settings: Settings,
    choice: Choice,
    given: Given,
    progress: Progress,
    order: Order,
    *,
    skip_refused: bool = False,
) -> Report:
    """Send the records of the chosen letters again in their order, each once.

    One operator at a time: BusyError. RefusedError when a letter's record must not or cannot be sent, unless
    `skip_refused`: nothing is sent then. Broken off at any point, also by a kill, the next redrive finds out
    what was sent before it sends anything. A cancellation lets the transaction in hand end.
    """
    async with turn(connection, TURN), audited(connection, order) as result, Sender(settings) as sender:
        settled = await _settle(connection, settings, progress)
        async with Originals(settings) as originals:
            work = _Redrive(connection, originals, given, progress)
            report = work.report
            report.applied = True
            report.settled_as_sent = sum(offset is not None for offset in settled.values())
            report.settled_as_not_sent = len(settled) - report.settled_as_sent
            try:
                due = await work.choose(choice, settled=True)
                if report.refused and not skip_refused:
                    raise RefusedError(_refusal(report))
                await work.send(sender, due, order)
                # Kafka does not tell the offset of a record that it was told twice.
                await _settle(connection, settings, progress)
            finally:
                result.update(report.numbers())
    return report


async def _settle(connection: Any, settings: Settings, progress: Progress) -> dict[str, int | None]:
    left = await notes.still_open(connection)
    known = await look(settings, left, lambda count: progress(Step.SETTLED, count))
    if known:
        await notes.end(connection, known)
    return known


def _refusal(report: Report) -> str:
    refused = [one for one in report.letters if one.refused is not None]
    shown = "".join(f"\n  {one.dead_letter_id} ({one.source}): {one.refused}" for one in refused[:_SHOWN])
    more = f"\n  and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    return (
        f"{len(refused)} of {report.chosen} letters cannot be sent again:{shown}{more}\nNothing was sent."
        " Leave them out, mend them one by one (--replace FILE), or send the others with --skip-refused"
    )


class _Redrive:
    """Chooses, then sends a transaction at a time; `report` counts."""

    def __init__(self, connection: Any, originals: Originals, given: Given, progress: Progress) -> None:
        self.report = Report(applied=False)
        self._connection = connection
        self._originals = originals
        self._given = given
        self._progress = progress

    async def choose(self, choice: Choice, *, settled: bool) -> list[DeadLetterListed]:
        """Plan each chosen letter; return those to be sent."""
        letters = await list_dead_letters(self._connection, choice, limit=None)
        missing = set(choice.ids) - {letter.dead_letter_id for letter in letters}
        if missing:
            raise RefusedError(
                f"There is no letter {', '.join(sorted(missing))} that fits the other conditions: `tillstream"
                " dlq show ID` shows what a letter is. Nothing was sent"
            )
        self._progress(Step.CHOSEN, len(letters))
        due: list[DeadLetterListed] = []
        report = self.report
        report.chosen = len(letters)
        for portion in in_portions(letters):
            for one in await prepared(self._connection, self._originals, portion, self._given):
                planned = one.planned(settled=settled)
                report.letters.append(planned)
                if planned.refused is not None:
                    report.refused += 1
                elif planned.already is not None:
                    report.already += 1
                else:
                    report.sendable += 1
                    due.append(one.letter)
            self._progress(Step.READ, len(portion))
        return due

    async def send(self, sender: Sender, due: Sequence[DeadLetterListed], order: Order) -> None:
        """Send the letters' records."""
        self._progress(Step.SENDABLE, len(due))
        for portion in in_portions(due):
            ready = await prepared(self._connection, self._originals, portion, self._given)
            await _to_its_end(self._transaction(sender, ready, order))

    async def _transaction(self, sender: Sender, ready: Sequence[Prepared], order: Order) -> None:
        records = [_record(one, self.report.sent) for one in ready]
        ends = await _ends(sender, records)
        await notes.begin(
            self._connection,
            [
                notes.Sending(
                    redrive_id=redrive_id,
                    dead_letter_id=outgoing.letter.dead_letter_id,
                    origin=outgoing.origin,
                    source=outgoing.letter.source,
                    topic=outgoing.topic,
                    partition=partition,
                    after_offset=ends[outgoing.topic, partition],
                    length=len(outgoing.value or b""),
                    sha256=outgoing.sha256,
                )
                for outgoing, partition, redrive_id in records
            ],
            operator=order.operator,
            why=order.reason,
        )
        self._progress(Step.NOTED, len(records))
        await sender.begin()
        try:
            offsets = await sender.put(records)
        except NothingSentError as error:
            await notes.end(self._connection, {redrive_id: None for _, _, redrive_id in records})
            raise RedriveError(f"{error}. {self.report.sent} records before them were sent") from error
        self._progress(Step.PUT, len(records))
        await sender.commit()
        self._progress(Step.COMMITTED, len(records))
        told = zip(records, offsets, strict=True)
        await notes.end(
            self._connection, {redrive_id: offset for (_, _, redrive_id), offset in told if offset >= 0}
        )
        self.report.sent += len(records)
        self._progress(Step.SENT, len(records))


def _record(one: Prepared, sent: int) -> tuple[Outgoing, int, str]:
    if one.outgoing is None:
        raise RedriveError(
            f"{one.letter.dead_letter_id} ({one.letter.source}) could be sent a moment ago: {one.refused}."
            f" {sent} records before it were sent"
        )
    return one.outgoing, one.partition, str(uuid.uuid4())


async def _ends(sender: Sender, records: Sequence[tuple[Outgoing, int, str]]) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for topic in {outgoing.topic for outgoing, _, _ in records}:
        numbers = sorted({partition for outgoing, partition, _ in records if outgoing.topic == topic})
        for partition, end in (await sender.ends(topic, numbers)).items():
            found[topic, partition] = end
    return found


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Let a transaction end before a cancellation takes effect."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if (error := task.exception()) is not None:
            raise error from None
        raise
