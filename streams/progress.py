"""How far a long piece of work is: told as it goes on, to whoever wants to show it."""


class Progress:
    """Hears how much there is to do and what was done of it; this one tells nobody."""

    def expect(self, count: int) -> None:
        """Hear of so much more that there is to do."""

    def advance(self, count: int, what: str = "") -> None:
        """Hear that so much was done, and of what."""


SILENT = Progress()
