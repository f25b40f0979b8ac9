"""Which of two versions of one thing is the newer."""

from streams.domain.outcomes import Outcome


def stale(told: int | None, known: int | None) -> Outcome | None:
    """Say what comes of a version that is not newer than the known one; None when it applies."""
    if told is None or known is None or told > known:
        return None
    return Outcome.LATE if told < known else Outcome.UNCHANGED
