"""Links as `store.links` has them last; whose link is gone waits since then."""

from __future__ import annotations

from datetime import datetime

from streams.domain import tables
from streams.rebuild.draft import Draft
from streams.rebuild.inbound import Told
from topics.ids import StoreId


class Links:
    """The rows of `links`."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._removed_at: dict[StoreId, datetime] = {}

    def see(self, told: Told) -> None:
        """Take a link that was set, or (without a message) removed."""
        self._draft.put(tables.LINKS, tables.link_key(told.store_id), told.message)
        if told.message is None:
            self._removed_at[told.store_id] = told.moment.received_at
        else:
            self._removed_at.pop(told.store_id, None)

    def linked(self, store_id: StoreId) -> bool:
        return self._draft.get(tables.LINKS, tables.link_key(store_id)) is not None

    def waits(self, told: Told) -> bool:
        """Say whether a message waits for the store's link: there is none, and it came later."""
        if self.linked(told.store_id):
            return False
        removed_at = self._removed_at.get(told.store_id)
        return removed_at is None or told.moment.received_at >= removed_at
