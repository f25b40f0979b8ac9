"""The exit codes of the commands; a worker has its own (`streams.runtime.errors.ExitCode`)."""

from __future__ import annotations

from enum import IntEnum

CODES = "**Exit codes**  0 done; 1 it could not be done, the message says why; 2 the command line is wrong"
"""Of commands that have no others to tell of."""


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    """Done; of a command that compares or checks: nothing is wrong."""
    FAILED = 1
    """It could not be done; the message says why and what to do."""
    USAGE = 2
    """The command line is wrong."""
    FOUND = 3
    """It worked, and found what it looks for: a difference, a problem, something that does not run."""
    BUSY = 4
    """Another operator is at work; nothing was changed."""
    REFUSED = 5
    """It would not be right (records that retention removed, a shadow that is not whole); nothing changed."""
    STOPPED = 130
    """Ended by Ctrl-C; what had been done by then is said where it matters."""
