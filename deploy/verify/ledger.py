"""What the outgoing topics hold, as a consumer that reads committed records sees it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import islice

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.verify.seen import (
    NONE,
    SeenException,
    SeenFulfillment,
    SeenLetter,
    SeenMovement,
    SeenMoves,
    SeenRefund,
    SeenSale,
)
from streams.runtime.startup import check_topics, partition_counts
from streams.settings import Settings
from topics.ids import OrderId, OutletId, ProductId, SaleId, StoreId

LevelKey = tuple[StoreId, ProductId, OutletId]


class Level(msgspec.Struct, gc=False):
    """A stock level summed from its movements; `revision` is the last one seen."""

    on_hand: Decimal = NONE
    allocated: Decimal = NONE
    awaiting: Decimal = NONE
    revision: int = 0


class Pieces(msgspec.Struct, gc=False):
    """What the movements say of a product of a sale: pieces allocated and not yet gone, gone, and back."""

    open: Decimal = NONE
    fulfilled: Decimal = NONE
    returned: Decimal = NONE

    def __str__(self) -> str:
        return f"{self.open} open, {self.fulfilled} fulfilled, {self.returned} returned"


_Revised = SeenSale | SeenFulfillment | SeenRefund | SeenException | SeenMovement | Level


class Ledger:
    """Reads the outgoing topics from their beginning and counts what must be there once.

    `doubled` counts events whose id was seen before; `gaps` revisions (of a sale, a fulfilment, a refund, an
    exception, a level) that do not follow the one before; `records` is all that was read.
    """

    TOPICS = ("sales", "fulfillments", "refunds", "stock.movements", "exceptions", "dead.letters")

    def __init__(self, settings: Settings) -> None:
        self.sales: dict[SaleId, SeenSale] = {}
        self.stories: dict[SaleId, list[SeenSale]] = {}
        self.orders: Counter[tuple[StoreId, OrderId]] = Counter()
        self.levels: defaultdict[LevelKey, Level] = defaultdict(Level)
        self.pieces: defaultdict[tuple[SaleId, ProductId], Pieces] = defaultdict(Pieces)
        self.fulfillments: dict[str, SeenFulfillment] = {}
        self.refunds: dict[str, SeenRefund] = {}
        self.exceptions: dict[str, SeenException] = {}
        self.movements = 0
        self.dead_letters = 0
        self.doubled = 0
        self.gaps = 0
        self.records = 0
        self._seen: set[str] = set()
        self._settings = settings
        self._prefix = settings.worker.prefix
        self._takers: dict[str, Callable[[bytes], None]] = {
            "sales": self._take_sale,
            "fulfillments": self._take_fulfillment,
            "refunds": self._take_refund,
            "stock.movements": self._take_moves,
            "exceptions": self._take_exception,
            "dead.letters": self._take_letter,
        }
        self._sale = msgspec.json.Decoder(SeenSale)
        self._fulfillment = msgspec.json.Decoder(SeenFulfillment)
        self._refund = msgspec.json.Decoder(SeenRefund)
        self._moves = msgspec.json.Decoder(SeenMoves)
        self._exception = msgspec.json.Decoder(SeenException)
        self._letter = msgspec.json.Decoder(SeenLetter)
        self._consumer = AIOKafkaConsumer(
            **settings.kafka.client_options(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )

    def follow(self, sale_ids: Iterable[SaleId]) -> None:
        """Keep every revision of these sales in `stories`; of the others only the last one is kept."""
        self.stories |= {sale_id: [] for sale_id in sale_ids}

    async def start(self) -> None:
        """Begin at the start of every topic's partitions; the topics must exist."""
        names = [self._prefix + topic for topic in self.TOPICS]
        count = check_topics(await partition_counts(names, self._settings.kafka))
        await self._consumer.start()
        partitions = [TopicPartition(name, partition) for name in names for partition in range(count)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_beginning(*partitions)

    async def stop(self) -> None:
        await self._consumer.stop()

    async def read(self, timeout_ms: int = 200) -> int:
        """Take in what has been committed since the last call; return the number of records."""
        count = 0
        for partition, records in (await self._consumer.getmany(timeout_ms=timeout_ms)).items():
            topic = partition.topic.removeprefix(self._prefix)
            for record in records:
                self.take(topic, record.value)
            count += len(records)
        self.records += count
        return count

    def take(self, topic: str, value: bytes) -> None:
        """Take in one record of a topic (its name without prefix)."""
        self._takers[topic](value)

    async def read_to_end(self) -> None:
        """Take in everything that is committed now."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        behind = set(ends)
        while behind:
            await self.read()
            for partition in list(behind):
                if await self._consumer.position(partition) >= ends[partition]:
                    behind.discard(partition)

    def _new(self, event_id: str) -> bool:
        if event_id in self._seen:
            self.doubled += 1
            return False
        self._seen.add(event_id)
        return True

    def _follows(self, event: _Revised, before: _Revised | None) -> None:
        if event.revision != (1 if before is None else before.revision + 1):
            self.gaps += 1

    def _take_sale(self, value: bytes) -> None:
        sale = self._sale.decode(value)
        if not self._new(sale.event_id):
            return
        # Taken out first, so that the newest change stands last.
        before = self.sales.pop(sale.sale_id, None)
        self._follows(sale, before)
        if before is None:
            self.orders[sale.store_id, sale.order_id] += 1
        self.sales[sale.sale_id] = sale
        if (story := self.stories.get(sale.sale_id)) is not None:
            story.append(sale)

    def _take_fulfillment(self, value: bytes) -> None:
        fulfillment = self._fulfillment.decode(value)
        if self._new(fulfillment.event_id):
            before = self.fulfillments.get(fulfillment.fulfillment_id)
            self._follows(fulfillment, before)
            self.fulfillments[fulfillment.fulfillment_id] = fulfillment

    def _take_refund(self, value: bytes) -> None:
        refund = self._refund.decode(value)
        if self._new(refund.event_id):
            before = self.refunds.get(refund.refund_id)
            self._follows(refund, before)
            self.refunds[refund.refund_id] = refund

    def _take_exception(self, value: bytes) -> None:
        exception = self._exception.decode(value)
        if self._new(exception.event_id):
            before = self.exceptions.get(exception.exception_id)
            self._follows(exception, before)
            self.exceptions[exception.exception_id] = exception

    def _take_moves(self, value: bytes) -> None:
        moves = self._moves.decode(value)
        if not self._new(moves.event_id):
            return
        for movement in moves.movements:
            level = self.levels[moves.store_id, movement.product_id, movement.outlet_id]
            level.on_hand += movement.on_hand
            level.allocated += movement.allocated
            level.awaiting += movement.awaiting
            self._follows(movement, level)
            level.revision = movement.revision
            self.movements += 1
            if moves.sale_id is not None:
                self._count(self.pieces[moves.sale_id, movement.product_id], movement.kind, movement.quantity)

    def _count(self, pieces: Pieces, kind: str, quantity: Decimal) -> None:
        if kind == "allocated":
            pieces.open += quantity
        elif kind == "released":
            pieces.open -= quantity
        elif kind == "fulfilled":
            pieces.open -= quantity
            pieces.fulfilled += quantity
        elif kind == "returned":
            pieces.returned += quantity

    def _take_letter(self, value: bytes) -> None:
        self.dead_letters += self._new(self._letter.decode(value).dead_letter_id)

    def newest(self, count: int) -> list[SeenSale]:
        """Return the sales that changed last, the newest first."""
        return [self.sales[sale_id] for sale_id in islice(reversed(self.sales), count)]
