"""What happened in a run, in order: kept as it is, written out only for a reader."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any, NamedTuple


class Step(NamedTuple):
    at: float
    who: str
    what: str
    about: Any

    def __str__(self) -> str:
        return f"{self.at:8.3f} {self.who:<10} {self.what} {self.about}".rstrip()


class Trace:
    """Steps with the virtual time in seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.steps: list[Step] = []

    def note(self, who: str, what: str, about: Any = "") -> None:
        self.steps.append(Step(self._loop.time(), who, what, about))

    def digest(self) -> str:
        """A fingerprint of the whole run: the same seed has the same."""
        return sha256("\n".join(map(str, self.steps)).encode()).hexdigest()
