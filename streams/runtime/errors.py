"""What ends a worker, and the exit code that tells its supervisor whether starting again can help."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of a worker process (the numbers of `sysexits.h`)."""

    OK = 0
    """Stopped as asked, nothing in flight."""
    CRASHED = 70
    """Fail-stop: the unit in flight was not committed; start the worker again."""
    INTERRUPTED = 75
    """Asked to stop, but a unit in flight did not end within the grace; start the worker again."""
    MISCONFIGURED = 78
    """Topics or positions do not fit; someone has to act before a start can succeed."""


class WorkerError(RuntimeError):
    """Ends the worker; the text says what was wrong, where, and what to do."""

    exit_code = ExitCode.CRASHED


class TopicsError(WorkerError):
    """Topics are missing, or their partition counts differ."""

    exit_code = ExitCode.MISCONFIGURED


class PositionError(WorkerError):
    """The log no longer has, or does not yet have, the offset that a partition must go on from."""

    exit_code = ExitCode.MISCONFIGURED


class BatchOrderError(WorkerError):
    """A batch does not begin where its lane stands: records would be skipped or decided twice."""


class UnitError(WorkerError):
    """A unit could not be decided or committed; a restart finds out whether it took effect."""


class UndecidedError(WorkerError):
    """Kafka ended a transaction without writing its end everywhere, and it is not known which end."""

    exit_code = ExitCode.MISCONFIGURED


class NotShownError(UnitError):
    """A committed transaction cannot be read, long after its end."""


class FencedError(UnitError):
    """Another worker owns the partition now."""


class RebalanceError(WorkerError):
    """A unit in flight did not end in time for a rebalance."""


class RecoveryError(WorkerError):
    """The changelogs could not be read to their end."""


class DiskError(WorkerError):
    """Table rows on local disk could not be written or read; the changelogs have them all."""


class RecordTooLargeError(ValueError):
    """An event does not fit a Kafka record; the caller turns it into a dead letter."""
