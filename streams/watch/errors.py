"""What keeps an onlooker from seeing."""


class SilentError(RuntimeError):
    """A part cannot be asked: which, what was tried, and what to do.

    `answers`: it is there, but what is asked for is not.
    """

    def __init__(self, part: str, what: str, remedy: str, *, answers: bool = False) -> None:
        """Take the part's name and the two halves of the sentence."""
        super().__init__(f"{part}: {what}. {remedy}")
        self.part = part
        self.what = what
        self.remedy = remedy
        self.answers = answers
