"""What a redrive is going to do about each chosen letter."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from storage.lookups.dead_letters import DeadLetterListed, contents
from streams.redrive.originals import Originals
from streams.redrive.preparing import Given, Outgoing, Refused, already, is_of, outright, prepare
from topics.partitions import partition_of
from topics.registry import BY_NAME

IN_ONE = 200
"""Records in a transaction at most, and so in doubt at most when the process is killed."""
BYTES_IN_ONE = 4 << 20

_IN_DOUBT = (
    "an earlier redrive of it was broken off, and the log has no more the place where its record would stand,"
    " so whether it was sent cannot be known: look at what became of its order, then discard it, or publish"
    " the record"
)


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a letter's record.

    `refused` says why it is not sent; `already` where it stands, having been sent before; `caution` what it
    might undo; `fault` why today's
    contract would refuse it again. `in_doubt`: an earlier redrive was broken off, and what it did is found
    out before anything is sent.
    """

    dead_letter_id: str
    reason: str
    source: str
    part: int | None
    store_id: str | None
    order_id: str | None
    partition: int | None = None
    origin: str | None = None
    length: int | None = None
    fault: str | None = None
    caution: str | None = None
    refused: str | None = None
    already: str | None = None
    in_doubt: bool = False


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A letter with its record and the partition that it goes to, or why it is not sent."""

    letter: DeadLetterListed
    partition: int = 0
    outgoing: Outgoing | None = None
    refused: str | None = None

    def planned(self, *, settled: bool) -> Planned:
        """Say it without the record."""
        letter, outgoing = self.letter, self.outgoing
        sent_before = already(letter)
        in_doubt = letter.state == "sending"
        sending = outgoing is not None and sent_before is None and not (in_doubt and settled)
        return Planned(
            dead_letter_id=letter.dead_letter_id,
            reason=letter.reason,
            source=letter.source,
            part=letter.part,
            store_id=outgoing.key.decode(errors="replace") if outgoing else letter.store_id,
            order_id=letter.order_id,
            partition=self.partition if sending else None,
            origin=outgoing.origin if outgoing and sending else None,
            length=len(outgoing.value or b"") if outgoing and sending else None,
            fault=outgoing.fault if outgoing and sending else None,
            caution=outgoing.caution if outgoing and sending else None,
            refused=_IN_DOUBT if in_doubt and settled else self.refused,
            already=sent_before,
            in_doubt=in_doubt and not settled,
        )


def in_portions(letters: Sequence[DeadLetterListed]) -> Iterator[list[DeadLetterListed]]:
    """Yield the letters in their records' order, as many at a time as one transaction takes."""
    portion: list[DeadLetterListed] = []
    size = 0
    for letter in sorted(letters, key=_place):
        if portion and (len(portion) == IN_ONE or size + letter.length > BYTES_IN_ONE):
            yield portion
            portion, size = [], 0
        portion.append(letter)
        size += letter.length
    if portion:
        yield portion


def _place(letter: DeadLetterListed) -> tuple[str, int, int, int]:
    return (letter.topic, letter.partition, letter.offset, letter.part or 0)


async def prepared(
    connection: Any, originals: Originals, letters: Sequence[DeadLetterListed], given: Given
) -> list[Prepared]:
    """Read and prepare a portion; the bytes that only letters hold are asked of Postgres all at once."""
    found = {
        letter.dead_letter_id: await originals.read(letter.topic, letter.partition, letter.offset)
        for letter in letters
        if outright(letter) is None and already(letter) is None
    }
    missing = [
        letter.dead_letter_id
        for letter in letters
        if letter.dead_letter_id in found and not is_of(letter, found[letter.dead_letter_id])
    ]
    held = await contents(connection, missing) if missing else {}
    answers: list[Prepared] = []
    for letter in letters:
        number = letter.dead_letter_id
        if number not in found:
            answers.append(Prepared(letter=letter, refused=None if already(letter) else outright(letter)))
            continue
        head = held[number].head if number in held else None
        one = prepare(letter, found[number], head, given)
        answers.append(
            Prepared(letter=letter, refused=one.why)
            if isinstance(one, Refused)
            else await _placed(originals, one)
        )
    return answers


async def _placed(originals: Originals, outgoing: Outgoing) -> Prepared:
    """Find the partition that a record goes to; of a compacted topic none that a later one has replaced."""
    letter, topic = outgoing.letter, outgoing.topic
    partitions = originals.partitions.get(topic, 0)
    if not partitions:
        why = f"topic {topic} is not there: `tillstream topics create` makes it"
        return Prepared(letter=letter, refused=why)
    partition = partition_of(outgoing.key, partitions)
    if BY_NAME[topic].cleanup == "compact":
        last = await originals.last(topic, partition, outgoing.key)
        own_place = last is not None and (letter.partition, letter.offset) == (partition, last.offset)
        if last is not None and not own_place and last.timestamp >= outgoing.timestamp:
            why = (
                f"{topic} keeps a store's last record, and has a later one at {topic}/{partition} offset"
                f" {last.offset}, which this one would replace: discard the letter; `tillstream link set`"
                " changes a link"
            )
            return Prepared(letter=letter, refused=why)
    return Prepared(letter=letter, partition=partition, outgoing=outgoing)
