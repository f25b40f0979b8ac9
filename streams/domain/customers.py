"""Customers: who an order belongs to (DOMAIN 6, S7, S8)."""

from datetime import datetime
from unicodedata import normalize

import msgspec

from streams.domain import tables
from streams.domain.books import Books
from streams.domain.state import EmailEntry
from topics.customers import Customer
from topics.ids import WALK_IN, CustomerId, made_customer_id
from topics.sales import SaleCustomer

WALK_IN_CUSTOMER = SaleCustomer(customer_id=WALK_IN, email=None, name="Walk-in")


def normal_email(email: str | None) -> str | None:
    """Return the e-mail as a key: trimmed, NFC, lower case; None when nothing is left.

    No case folding: it would take two people for one (`straße@` and `strasse@`).
    """
    if email is None:
        return None
    email = email.strip()
    email = email.lower() if email.isascii() else normalize("NFC", normalize("NFC", email).lower())
    return email or None


def match_customer(
    books: Books, email: str | None, billing_name: str | None, shipping_name: str | None
) -> SaleCustomer:
    """Return the customer of an order, making one if the (normalised) e-mail is new.

    A profile that matches is used and never changed, whatever the order calls the person. A new one is called
    by the billing name, else the shipping name, else the e-mail. Without an e-mail: the walk-in customer.
    """
    if email is None:
        return WALK_IN_CUSTOMER
    entry = books.email(email)
    if entry is not None:
        return SaleCustomer(customer_id=entry.used, email=email, name=entry.name)
    name = (billing_name or "").strip() or (shipping_name or "").strip() or email
    return _make(books, email, name)


def _make(books: Books, email: str, name: str) -> SaleCustomer:
    customer_id = made_customer_id(books.store_id, email)
    known = books.customer(customer_id)
    # One that a profile took over, which is now gone or has another e-mail, comes back as it was.
    customer = revised(books, known, customer_id, "ecom", email, name if known is None else known.name)
    write(books, customer)
    books.put(tables.EMAILS, email, EmailEntry(customer_id, customer.name))
    return SaleCustomer(customer_id=customer_id, email=email, name=customer.name)


def revised(
    books: Books,
    known: Customer | None,
    customer_id: CustomerId,
    origin: str,
    email: str | None,
    name: str,
    *,
    first_name: str | None = None,
    last_name: str | None = None,
    created_at: datetime | None = None,
    deleted: bool = False,
    version: int | None = None,
    duplicate_of: CustomerId | None = None,
) -> Customer:
    revision = 1 if known is None else known.revision + 1
    return Customer(
        event_id=f"{books.store_id}/customer/{customer_id}:{revision}",
        store_id=books.store_id,
        event_time=books.event_time,
        received_at=books.moment.received_at,
        processed_at=books.moment.processed_at,
        customer_id=customer_id,
        revision=revision,
        origin=origin,  # type: ignore[arg-type]  # "pos" or "ecom"
        email=email,
        name=name,
        first_name=first_name,
        last_name=last_name,
        created_at=created_at,
        deleted=deleted,
        version=version if version is not None else (0 if known is None else known.version),
        duplicate_of=duplicate_of,
    )


def again(books: Books, customer: Customer, **changes: object) -> Customer:
    """Return the customer's next revision, with these changes."""
    revision = customer.revision + 1
    return msgspec.structs.replace(
        customer,
        event_id=f"{books.store_id}/customer/{customer.customer_id}:{revision}",
        event_time=books.event_time,
        received_at=books.moment.received_at,
        processed_at=books.moment.processed_at,
        revision=revision,
        **changes,
    )


def write(books: Books, customer: Customer) -> None:
    books.put(tables.CUSTOMERS, customer.customer_id, customer)
    books.emit(customer)
