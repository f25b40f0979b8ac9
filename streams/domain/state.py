"""What the tables remember that is not an event itself."""

from datetime import datetime
from decimal import Decimal

import msgspec

from topics.fulfillments import FulfillmentType
from topics.ids import CustomerId, LineId, OutletId, PosSaleId, ProductId, SaleId
from topics.numbers import ZERO
from topics.pos_fulfillments import PosFulfillmentLine, PosFulfillmentState


class Awaited(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Pieces that the point of sale took over at `since`: a count that is not older has them in it."""

    since: datetime
    quantity: Decimal


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A product's stock at one outlet (DOMAIN 4).

    `backordered` is the part of what is promised that was not there. `awaiting` is the sum of `awaited`,
    which are in the order of their times. `version` is the last applied count's, `counted_at` the newest
    one's time; `revision` counts the movements.
    """

    on_hand: Decimal = ZERO
    allocated: Decimal = ZERO
    awaiting: Decimal = ZERO
    backordered: Decimal = ZERO
    revision: int = 0
    version: int | None = None
    counted_at: datetime | None = None
    awaited: tuple[Awaited, ...] = ()


class Stock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A product at all its outlets, and what it is called today.

    `named`: a product record named it, so an inventory record no longer may. `listed`: it is active and alone
    has its SKU, so it can be ordered. While it is, `raw` is Σ available over the connected outlets: every
    movement keeps it up, and it is worked out anew when the listing or the link changes. `online` is the
    level that the online store was last told under the SKU, `published` how many times it was told any.
    """

    outlets: dict[OutletId, Level] = {}
    sku: str = ""
    active: bool = True
    named: bool = False
    listed: bool = False
    raw: Decimal = ZERO
    version: int | None = None
    online: Decimal | None = None
    published: int = 0
    repaired: bool = False


class SkuIndex(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The active products that have a SKU, sorted. More than one: it is ambiguous."""

    products: tuple[ProductId, ...] = ()


class SeenProfile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A live profile of the point of sale under an e-mail, in the order in which they were seen."""

    customer_id: CustomerId
    created_at: datetime | None = None


class EmailEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who has an e-mail: `used`, called `name`, is the customer of new orders (DOMAIN 6)."""

    used: CustomerId
    name: str
    profiles: tuple[SeenProfile, ...] = ()


class Queue(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The ends of a waiting line; `serial` is how many have ever joined it since it was last empty."""

    first: str
    last: str
    length: int = 1
    serial: int = 1


class Held(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message to be decided later, normalised, with the coordinates and the time it came with."""

    topic: str
    partition: int
    offset: int
    received_at: datetime
    body: msgspec.Raw
    checksum: int = 0
    part: int | None = None
    """Of a record that held several messages: which of them."""


class Waiting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One place in a queue: its neighbours, since when it waits, and what is held for it."""

    before: str | None
    after: str | None
    since: datetime
    held: Held | None = None


class Reported(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a fulfilment of the point of sale says, and how much of it is counted in our sale.

    `counted` is by the key of its line (`handover.keys`). `at` is when it says so.
    `type` is how the goods go out; absent of one that was kept before that was noted: as the order says.
    """

    version: int | None
    at: datetime
    outlet_id: OutletId
    state: PosFulfillmentState
    lines: tuple[PosFulfillmentLine, ...]
    counted: dict[str, Decimal] = {}
    type: FulfillmentType | None = None


class PosEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A sale of the point of sale that concerns us: the acknowledgement of ours, or a return of it.

    `sale_id` is ours, also while its order has not come; absent while only fulfilments have. `lines` are our
    lines by the ids of theirs.
    `handed_over_at`: all goods went out then; once that is counted in our sale it is absent again.
    """

    sale_id: SaleId | None = None
    version: int | None = None
    lines: dict[str, LineId] = {}
    reported: dict[str, Reported] = {}
    handed_over_at: datetime | None = None


class Early(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An acknowledgement that came before its order, and the returns of its sale that came then too."""

    pos_sale_id: PosSaleId
    held: Held
    returns: tuple[Held, ...] = ()


class Stray(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Pieces allocated at an outlet that is not connected."""

    allocated: Decimal


class Corrected(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A correction that was decided: the level's revision after it, absent when it was refused."""

    revision: int | None


class ExceptionEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An exception's last revision; kept when closed, so that revisions go on when it opens again."""

    revision: int
    open: bool
    opened_at: datetime
    detail: str
