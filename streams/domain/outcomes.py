"""How a decision ended; the workers count these."""

from enum import StrEnum


class Outcome(StrEnum):
    """What came of a message."""

    DECIDED = "decided"
    UNCHANGED = "unchanged"
    """It says what is known already."""
    LATE = "late"
    """Something newer was seen before."""
    INCOMPLETE = "incomplete"
    """An abandoned cart: never a sale."""
    ECHO = "echo"
    """An order that the online store has from us."""
    OWN = "own"
    """A sale of the shop's own: it does not concern the online store."""
    PARKED = "parked"
    """Its status is unknown: recorded, for a person to look at."""
    CONFLICT = "conflict"
    """A correction that was computed against another level than there is by now: nothing changed."""
    WAITING = "waiting"
    """It is held until its store has a link, or until what came before it is decided."""
