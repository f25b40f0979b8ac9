"""The mark of a record that was sent again: two headers."""

from collections.abc import Sequence

Header = tuple[str, bytes]

FROM = "tillstream_redriven_from"
"""Topic, partition and offset of the record that was refused, as `ecom.orders/3/1042`."""
REDRIVE = "tillstream_redrive"
"""Id of the sending, which no other has."""


def marked(headers: Sequence[Header], source: str, redrive_id: str) -> list[Header]:
    """Return the headers with the mark of this sending, in place of an earlier one's."""
    kept = [header for header in headers if header[0] not in (FROM, REDRIVE)]
    return [*kept, (FROM, source.encode()), (REDRIVE, redrive_id.encode())]


def redrive_of(headers: Sequence[Header]) -> str | None:
    """Return the id of the sending that put the record on its topic; None when it was not sent again."""
    return next((value.decode(errors="replace") for name, value in headers if name == REDRIVE), None)
