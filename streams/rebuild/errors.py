"""Why tables were not read, repaired or rebuilt."""

from streams.runtime.errors import WorkerError


class RebuildError(WorkerError):
    """The topics could not be read, or do not say what they must; nothing was changed."""


class RefusedError(WorkerError):
    """It would not be right now: workers are running, or records are missing. Nothing was changed."""
