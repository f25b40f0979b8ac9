"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Works, but not as it should for long."""
    PROBLEM = "problem"
    """Needs a person now."""
    UNKNOWN = "unknown"
    """Could not be checked."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check's result: what was found, and unless it is well, what to do."""

    check: str
    level: Level
    found: str
    remedy: str = ""
    details: Sequence[str] = ()
    """Places and values, one each."""


def fine(check: str, found: str, details: Sequence[str] = ()) -> Finding:
    """Nothing to do."""
    return Finding(check=check, level=Level.OK, found=found, details=details)


def warning(check: str, found: str, remedy: str, details: Sequence[str] = ()) -> Finding:
    """Something to do, when there is time."""
    return Finding(check=check, level=Level.WARNING, found=found, remedy=remedy, details=details)


def problem(check: str, found: str, remedy: str, details: Sequence[str] = ()) -> Finding:
    """Something to do now."""
    return Finding(check=check, level=Level.PROBLEM, found=found, remedy=remedy, details=details)


def unknown(check: str, why: str, remedy: str) -> Finding:
    """It could not be checked."""
    return Finding(check=check, level=Level.UNKNOWN, found=why, remedy=remedy)
