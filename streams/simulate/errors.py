"""Why a simulation cannot be made."""


class SimulationError(RuntimeError):
    """The inbound records cannot be read: the message says what was wrong, where, and what to do."""
