"""Why a replay does not go on."""


class ReplayError(RuntimeError):
    """It cannot be done; the text says why, where, and what to do."""


class RefusedError(ReplayError):
    """It would not be right, so nothing was changed."""


class CancelledByOperatorError(ReplayError):
    """Another operator asked for it."""
