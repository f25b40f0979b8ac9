"""Customer profiles of the point of sale, and which of them an e-mail stands for (DOMAIN 6)."""

from datetime import UTC, datetime

import msgspec

from streams.domain import exceptions, tables
from streams.domain.books import Books
from streams.domain.customers import again, normal_email, revised, write
from streams.domain.outcomes import Outcome
from streams.domain.state import EmailEntry, SeenProfile
from streams.domain.versions import stale
from topics.customers import Customer
from topics.ids import CustomerId, made_customer_id
from topics.profiles import Profile

_LAST = datetime.max.replace(tzinfo=UTC)


def learn(books: Books, profile: Profile) -> Outcome:
    """Take in a profile of the point of sale: new, changed or deleted."""
    known = books.customer(profile.customer_id)
    if (outcome := stale(profile.version, None if known is None else known.version)) is not None:
        return outcome
    email = normal_email(profile.email)
    names = [name for name in (profile.first_name, profile.last_name) if name]
    customer = revised(
        books,
        known,
        profile.customer_id,
        "pos",
        email,
        " ".join(names) or email or "",
        first_name=profile.first_name,
        last_name=profile.last_name,
        created_at=profile.created_at,
        deleted=profile.deleted,
        version=profile.version,
        duplicate_of=None if known is None else known.duplicate_of,
    )
    exceptions.set_open(
        books, "text_repaired", f"customer/{profile.customer_id}", ", ".join(profile.repaired) or None
    )
    if known is not None and _same(known, customer):
        if known.version != customer.version:
            books.put(
                tables.CUSTOMERS, known.customer_id, msgspec.structs.replace(known, version=customer.version)
            )
        return Outcome.UNCHANGED
    write(books, customer)
    before = None if known is None or known.deleted else known.email
    now = None if profile.deleted else email
    if before is not None and before != now:
        _leave(books, before, profile.customer_id)
    if now is not None:
        _join(books, now, SeenProfile(profile.customer_id, profile.created_at))
    elif customer.duplicate_of is not None:
        _mark(books, profile.customer_id, None)
    return Outcome.DECIDED


def _join(books: Books, email: str, seen: SeenProfile) -> None:
    entry = books.email(email)
    profiles = () if entry is None else entry.profiles
    if any(one.customer_id == seen.customer_id for one in profiles):
        profiles = tuple(seen if one.customer_id == seen.customer_id else one for one in profiles)
    else:
        profiles = (*profiles, seen)
    _use(books, email, profiles)
    made = books.customer(made_customer_id(books.store_id, email))
    if made is not None:
        used = _oldest(profiles)
        if made.replaced_by != used:
            write(books, again(books, made, replaced_by=used))


def _leave(books: Books, email: str, customer_id: CustomerId) -> None:
    entry = books.email(email)
    if entry is None:
        return
    profiles = tuple(one for one in entry.profiles if one.customer_id != customer_id)
    if profiles:
        _use(books, email, profiles)
        made = books.customer(made_customer_id(books.store_id, email))
        if made is not None and made.replaced_by != _oldest(profiles):
            write(books, again(books, made, replaced_by=_oldest(profiles)))
    else:
        books.put(tables.EMAILS, email, None)


def _oldest(profiles: tuple[SeenProfile, ...]) -> CustomerId:
    """Return the profile created first; of those without a date the one seen first."""
    return min(profiles, key=lambda one: one.created_at or _LAST).customer_id


def _use(books: Books, email: str, profiles: tuple[SeenProfile, ...]) -> None:
    used = _oldest(profiles)
    customer = books.customer(used)
    if customer is None:
        raise LookupError(f"profile {used} of store {books.store_id} has an e-mail and is not in the books")
    books.put(tables.EMAILS, email, EmailEntry(used, customer.name, profiles))
    for one in profiles:
        _mark(books, one.customer_id, None if one.customer_id == used else used)


def _mark(books: Books, customer_id: CustomerId, duplicate_of: CustomerId | None) -> None:
    """Flag, or no longer flag, a profile as the newer one of two with one e-mail."""
    customer = books.customer(customer_id)
    if customer is not None and customer.duplicate_of != duplicate_of:
        write(books, again(books, customer, duplicate_of=duplicate_of))
    exceptions.set_open(
        books,
        "customer_duplicate",
        f"customer/{customer_id}",
        None
        if duplicate_of is None
        else f"has the e-mail of the older profile {duplicate_of}, which is used",
    )


def _same(known: Customer, new: Customer) -> bool:
    return (
        known.email == new.email
        and known.name == new.name
        and known.first_name == new.first_name
        and known.last_name == new.last_name
        and known.created_at == new.created_at
        and known.deleted == new.deleted
        and known.replaced_by is None
    )
