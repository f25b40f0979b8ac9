"""Customers as `customers` has them last, and who stands for which e-mail."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.domain import tables
from streams.domain.state import EmailEntry, SeenProfile
from streams.rebuild.draft import Draft, key_of
from streams.rebuild.inbound import Told
from topics.codec import decode_customer
from topics.customers import Customer
from topics.profiles import Profile


class People:
    """The rows of `customers` and `emails`."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        # Live profiles of the point of sale by e-mail, in the order in which they came to it.
        self._profiles: dict[bytes, dict[str, SeenProfile]] = {}

    def take(self, record: Any) -> None:
        """Take the next revision of a customer."""
        customer = decode_customer(record.value)
        key = key_of(customer.store_id, customer.customer_id)
        before: Customer | None = self._draft.get(tables.CUSTOMERS, key)
        self._draft.put(tables.CUSTOMERS, key, record.value)
        if customer.origin != "pos":
            return
        was = None if before is None or before.deleted else before.email
        now = None if customer.deleted else customer.email
        if was is not None and was != now:
            self._profiles.get(key_of(customer.store_id, was), {}).pop(customer.customer_id, None)
        if now is not None:
            of_email = self._profiles.setdefault(key_of(customer.store_id, now), {})
            of_email[customer.customer_id] = SeenProfile(customer.customer_id, customer.created_at)

    def see(self, told: Told) -> None:
        """Take a profile that was decided: one that changes nothing leaves no event, only its version."""
        profile: Profile = told.message
        key = key_of(told.store_id, profile.customer_id)
        known: Customer | None = self._draft.get(tables.CUSTOMERS, key)
        if known is not None and profile.version is not None and profile.version > known.version:
            self._draft.put(tables.CUSTOMERS, key, msgspec.structs.replace(known, version=profile.version))

    def finish(self) -> None:
        """Make the rows of `emails`."""
        for key in list(self._draft.rows[tables.CUSTOMERS]):
            customer: Customer = self._draft.get(tables.CUSTOMERS, key)
            if customer.origin == "ecom" and customer.email is not None and customer.replaced_by is None:
                entry = EmailEntry(customer.customer_id, customer.name)
                self._draft.put(tables.EMAILS, key_of(customer.store_id, customer.email), entry)
        for key, found in self._profiles.items():
            if not found:
                continue
            # Of two the older one is used, and the other says so; the last to join has decided it.
            store_id = tables.store_of(key)
            used = next(
                (one for one in found if self._customer(store_id, one).duplicate_of is None),
                next(iter(found)),
            )
            name = self._customer(store_id, used).name
            entry = EmailEntry(self._customer(store_id, used).customer_id, name, tuple(found.values()))
            self._draft.put(tables.EMAILS, key, entry)

    def _customer(self, store_id: str, customer_id: str) -> Customer:
        customer: Customer = self._draft.get(tables.CUSTOMERS, key_of(store_id, customer_id))
        return customer
