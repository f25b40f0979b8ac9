"""Why a record was refused: one exception, a few reason codes."""

import re
from typing import Literal, get_args

Reason = Literal[
    "empty_record",  # no value, or `null`, where a message is due
    "not_utf8",  # the bytes are not UTF-8
    "not_json",  # the text is not JSON
    "too_deep",  # lists and objects nested beyond the limit
    "wrong_type",  # a field holds another kind of value than the contract says
    "missing_field",  # a field that the rules need is absent, null or empty
    "bad_number",  # not finite, too large, too fine, or negative where that has no meaning
    "bad_date",  # not a date, or a year that cannot be
    "bad_value",  # a value outside its list, or a duplicate
    "too_long",  # an id, a key or an indexed text beyond its limit
    "webhook_body",  # a notification instead of the thing itself
    "no_key",  # the record has no store id
    "bad_key",  # the record's key cannot be a store id
    "wrong_partition",  # the record is not on its key's partition
    "event_too_large",  # what was decided does not fit a record
    "rule_failed",  # a fault in our own rules, with its traceback
]
"""The code that a dead letter carries in `reason`; DESIGN 5."""

REASONS: tuple[str, ...] = get_args(Reason)

WEBHOOK_BODY = "webhook body, fetch the order first"
EMPTY_VALUE = "empty value"
WRONG_PARTITION = "wrong partition: the publisher's partitioner is not murmur2"

SHOWN_CHARS = 60
_NUMBERISH = re.compile(r"[\s\d.,_+-]*(?:[sS]?[nN][aA][nN]\d*|[iI]nf(?:inity)?|[eE][+-]?\d+)?\s*", re.ASCII)


class ContractError(Exception):
    """A record, or one part of it, breaks its contract; it becomes a dead letter and its neighbours go on.

    `field` is the path in the sender's spelling (`items[0].quantity`), `value` what stood there, bounded and
    free of personal data, `part` the place within a search envelope. `str()` is the sentence for people.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str | None = None,
        value: str | None = None,
        part: int | None = None,
        order_id: str | None = None,
    ) -> None:
        """Take the reason and what it means here; the sentence is composed from all of it."""
        super().__init__(reason, message)
        self.reason: Reason = reason
        self.message = message
        self.field = field
        self.value = value
        self.part = part
        self.order_id = order_id

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""
        shown = f": {self.value}" if self.value else ""
        return f"{place}{self.message}{shown}"

    @property
    def detail(self) -> str:
        """The sentence for people, as a dead letter carries it."""
        return str(self)


def shown(value: object) -> str:
    """Describe a value for an error text: numbers as they are, bounded; of text only its length.

    Text may be a name or an e-mail address, in any field, so only what looks like a number is quoted.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if len(value) <= SHOWN_CHARS and _NUMBERISH.fullmatch(value):
            return f'"{value}"'
        return f"text of {len(value)} characters"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    text = str(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… ({len(text)} characters)"
