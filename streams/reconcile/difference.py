"""A difference, its cause, and what to do about it."""

from typing import Literal

import msgspec

Cause = Literal[
    "not_linked",  # counts and orders wait for the store's link
    "postgres_behind",  # the history worker has more to write
    "count_waits",  # a count is on its topic and not decided yet
    "count_late",  # the last count on the topic is older than the one that applies
    "unlike_count",  # on hand is not what was counted last
    "file_older",  # the file's version is older than the count that applies
    "awaits_count",  # pieces went out, or are taken over, and no count has shown it yet
    "count_missing",  # the point of sale has another level, and no count of it came
    "movements_missing",  # revisions are missing on the topic
    "movements_differ",  # movements do not go on from one another
    "table_differs",  # the table has other numbers than the movements say
    "table_behind",  # the table lacks what the movements say
    "table_ahead",  # the table has moved, and no movement says so
    "promises_differ",  # allocated is not what the sales hold
    "moving",  # the level moved at every look: look again
    "row_missing",  # Postgres has no level
    "row_differs",  # Postgres has another level than the movements that it has written
    "row_unknown",  # Postgres has a level that no movement speaks of
    "movement_rows_differ",  # Postgres has not as many movements as it has written
    "sale_missing",  # Postgres has no row of a sale that it has written
    "sale_differs",  # Postgres has another revision than it has written
    "sale_unknown",  # Postgres has a sale that no event speaks of
    "sale_refused",  # the sale's event could not be a row: a dead letter of the history worker
    "revisions_missing",  # revisions of a sale are missing on the topic
]
Remedy = Literal["wait", "none", "link", "publish", "compensate", "replay", "dlq", "look"]

REMEDIES: dict[Remedy, str] = {
    "wait": "goes by itself",
    "none": "nothing: it is right as it is",
    "link": "`tillstream link set`",
    "publish": "`tillstream publish pos.inventory` with the point of sale's level, or `reconcile compensate`",
    "compensate": "`tillstream reconcile compensate`",
    "replay": "`tillstream replay plan`: the topic is right, and Postgres is made anew from it",
    "dlq": "`tillstream dlq list`",
    "look": "look again; if it stays, report it",
}
PASSING: frozenset[Remedy] = frozenset({"wait", "none"})


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Two who should say the same do not; `text` says what each says."""

    cause: Cause
    remedy: Remedy
    text: str
    product_id: str | None = None
    outlet_id: str | None = None
    sku: str | None = None
    sale_id: str | None = None
    order_id: str | None = None

    @property
    def passes(self) -> bool:
        """Whether nobody has to do anything."""
        return self.remedy in PASSING
