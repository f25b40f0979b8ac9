"""What the checks found: how many of each kind, and what the first ones are."""

from collections import Counter
from typing import Literal

Kind = Literal["missing", "duplicates", "oversold", "unequal", "gaps", "lives"]
SHOWN = 5


class Findings:
    """Counts by kind, and the words of the first SHOWN of each: what is wrong, with its value, and where."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.texts: list[str] = []
        self._texts: Counter[str] = Counter()

    def add(self, kind: Kind, text: str, count: int = 1) -> None:
        """Note a fault that counts as so many; a count of 0 is none."""
        if count <= 0:
            return
        self.counts[kind] += count
        self._texts[kind] += 1
        if self._texts[kind] <= SHOWN:
            self.texts.append(f"{kind}: {text}")
