"""Letters that are set aside because nothing is to be done about them, and taken up again."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from storage.lookups.dead_letters import Choice, DeadLetterListed, list_dead_letters
from storage.operations import dead_letters as notes
from storage.operations.audit import Order, audited
from storage.operations.turn import turn
from streams.redrive.errors import RefusedError
from streams.redrive.run import TURN

Deed = Literal["discard", "restore"]


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or would be: `unchanged` of the chosen letters are as they should be already."""

    applied: bool
    chosen: int
    changed: int
    unchanged: int
    letters: Sequence[DeadLetterListed]


async def set_aside(connection: Any, choice: Choice, deed: Deed, order: Order | None) -> Aside:
    """Discard the chosen letters, or restore them; without an `order` only say which those are.

    BusyError when another operator is at work; RefusedError when a letter that is named is not there, or a
    redrive of it was broken off.
    """
    if order is None:
        return await _chosen(connection, choice, deed, applied=False)
    async with turn(connection, TURN), audited(connection, order) as result:
        found = await _chosen(connection, choice, deed, applied=True)
        result.update(chosen=found.chosen, changed=found.changed, unchanged=found.unchanged)
        ids = [letter.dead_letter_id for letter in found.letters]
        if deed == "discard":
            await notes.discard(connection, ids, operator=order.operator, why=order.reason)
        else:
            await notes.restore(connection, ids, operator=order.operator)
    return found


async def _chosen(connection: Any, choice: Choice, deed: Deed, *, applied: bool) -> Aside:
    letters = await list_dead_letters(connection, choice, limit=None)
    missing = set(choice.ids) - {letter.dead_letter_id for letter in letters}
    if missing:
        raise RefusedError(
            f"There is no letter {', '.join(sorted(missing))} that fits the other conditions: `tillstream dlq"
            " show ID` shows what a letter is. Nothing was changed"
        )
    due = [letter for letter in letters if (letter.state == "discarded") == (deed == "restore")]
    in_doubt = [letter.dead_letter_id for letter in due if letter.state == "sending"]
    if in_doubt:
        raise RefusedError(
            f"A redrive of {', '.join(in_doubt)} was broken off, and may have sent the record: `tillstream"
            " dlq redrive` with the same letters finds out. Nothing was changed"
        )
    return Aside(
        applied=applied, chosen=len(letters), changed=len(due), unchanged=len(letters) - len(due), letters=due
    )
