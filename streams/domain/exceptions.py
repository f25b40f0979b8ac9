"""Exceptions: what needs a person. Each opens with its cause and closes by itself when that goes."""

from collections.abc import Iterable

from streams.domain import tables
from streams.domain.books import Books
from streams.domain.state import ExceptionEntry
from topics.exceptions import ExceptionChanged, ExceptionKind
from topics.ids import OrderId, SaleId, exception_id
from topics.sales import SaleFlag


def set_open(
    books: Books,
    kind: ExceptionKind,
    subject: str,
    detail: str | None,
    order_id: OrderId | None = None,
    sale_id: SaleId | None = None,
) -> None:
    """Open the exception, tell its new detail, or (detail None) close it; nothing when it is so already."""
    name = f"{kind}\0{subject}"
    entry: ExceptionEntry | None = books.get(tables.EXCEPTIONS, name)
    is_open = entry is not None and entry.open
    if detail is None:
        if entry is None or not is_open:
            return
        detail = entry.detail
        opens = False
    else:
        if entry is not None and is_open and entry.detail == detail:
            return
        opens = True
    revision = 1 if entry is None else entry.revision + 1
    opened_at = entry.opened_at if entry is not None and is_open else books.event_time
    books.put(tables.EXCEPTIONS, name, ExceptionEntry(revision, opens, opened_at, detail))
    own_id = exception_id(books.store_id, kind, subject)
    books.emit(
        ExceptionChanged(
            event_id=f"{own_id}:{revision}",
            store_id=books.store_id,
            event_time=books.event_time,
            received_at=books.moment.received_at,
            processed_at=books.moment.processed_at,
            exception_id=own_id,
            kind=kind,
            subject=subject,
            detail=detail,
            open=opens,
            revision=revision,
            opened_at=opened_at,
            closed_at=None if opens else books.event_time,
            order_id=order_id,
            sale_id=sale_id,
        )
    )


def follow_flags(
    books: Books, order_id: OrderId, sale_id: SaleId, before: Iterable[SaleFlag], after: Iterable[SaleFlag]
) -> None:
    """Open an exception for each new flag of a sale, close those of the flags that are gone."""
    old = {(flag.kind, flag.line_id): flag for flag in before}
    for flag in after:
        was = old.pop((flag.kind, flag.line_id), None)
        if was is None or was.detail != flag.detail:
            set_open(books, flag.kind, _subject(order_id, flag), flag.detail, order_id, sale_id)  # type: ignore[arg-type]
    for flag in old.values():
        set_open(books, flag.kind, _subject(order_id, flag), None, order_id, sale_id)  # type: ignore[arg-type]


def _subject(order_id: OrderId, flag: SaleFlag) -> str:
    return order_id if flag.line_id is None else f"{order_id}/{flag.line_id}"
