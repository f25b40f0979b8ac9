"""What can go wrong with the embedded stack."""

from __future__ import annotations

from pathlib import Path

_TAIL_BYTES = 4096


class StackError(RuntimeError):
    """The embedded stack cannot do what was asked: the message says what was wrong, where, and what to do."""


def log_tail(path: Path, lines: int = 12) -> str:
    """Return the last lines of a log file, or a word that there is none: for the end of an error message."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return "(it wrote no log)"
    return "\n".join(text.splitlines()[-lines:])
