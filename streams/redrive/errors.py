"""What ends a redrive."""


class RedriveError(RuntimeError):
    """Kafka or the choice of letters stands in the way; the text says what, where, and what to do."""


class RefusedError(RedriveError):
    """It would not be right to send what was chosen; nothing was sent."""
