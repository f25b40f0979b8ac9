"""What the outgoing topics hold, as a consumer that reads committed records sees it."""

from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from itertools import islice

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.runtime.startup import check_topics, partition_counts
from streams.settings import Settings
from topics.ids import LineId, OrderId, OutletId, ProductId, SaleId, StoreId

LevelKey = tuple[StoreId, ProductId, OutletId]


class SeenAllocation(msgspec.Struct, frozen=True, gc=False):
    outlet_id: OutletId
    quantity: Decimal
    backordered: Decimal = Decimal(0)


class SeenComponent(msgspec.Struct, frozen=True, gc=False):
    product_id: ProductId | None = None
    allocations: tuple[SeenAllocation, ...] = ()


class SeenLine(msgspec.Struct, frozen=True, gc=False):
    line_id: LineId
    sku: str
    product_id: ProductId | None = None
    allocations: tuple[SeenAllocation, ...] = ()
    components: tuple[SeenComponent, ...] = ()


class SeenSale(msgspec.Struct, frozen=True, gc=False):
    """The part of a sale event that the checks need."""

    event_id: str
    store_id: StoreId
    order_id: OrderId
    sale_id: SaleId
    revision: int
    state: str
    lines: tuple[SeenLine, ...]


class SeenMovement(msgspec.Struct, frozen=True, gc=False):
    product_id: ProductId
    outlet_id: OutletId
    revision: int
    on_hand: Decimal = Decimal(0)  # left out of the event where nothing changed
    allocated: Decimal = Decimal(0)


class SeenMoves(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    store_id: StoreId
    movements: tuple[SeenMovement, ...]


class SeenEvent(msgspec.Struct, frozen=True, gc=False):
    event_id: str


class SeenLetter(msgspec.Struct, frozen=True, gc=False):
    dead_letter_id: str


class Level(msgspec.Struct, gc=False):
    """A stock level summed from its movements; `revisions` are those seen."""

    on_hand: Decimal = Decimal(0)
    allocated: Decimal = Decimal(0)
    revisions: int = 0


class Ledger:
    """Reads the outgoing topics from their beginning and counts what must be there once.

    `doubled` counts events whose id was seen before; `gaps` revisions of a sale or a level that do not follow
    the one before; `records` is all that was read.
    """

    TOPICS = ("sales", "fulfillments", "stock.movements", "dead.letters")

    def __init__(self, settings: Settings) -> None:
        self.sales: dict[SaleId, SeenSale] = {}
        self.orders: Counter[tuple[StoreId, OrderId]] = Counter()
        self.levels: defaultdict[LevelKey, Level] = defaultdict(Level)
        self.fulfillments = 0
        self.movements = 0
        self.dead_letters = 0
        self.doubled = 0
        self.gaps = 0
        self.records = 0
        self._seen: set[str] = set()
        self._settings = settings
        self._prefix = settings.worker.prefix
        self._sale = msgspec.json.Decoder(SeenSale)
        self._moves = msgspec.json.Decoder(SeenMoves)
        self._event = msgspec.json.Decoder(SeenEvent)
        self._letter = msgspec.json.Decoder(SeenLetter)
        self._consumer = AIOKafkaConsumer(
            **settings.kafka.client_options(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )

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
            take = self._takers()[partition.topic.removeprefix(self._prefix)]
            for record in records:
                take(record.value)
            count += len(records)
        self.records += count
        return count

    async def read_to_end(self) -> None:
        """Take in everything that is committed now."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        behind = set(ends)
        while behind:
            await self.read()
            for partition in list(behind):
                if await self._consumer.position(partition) >= ends[partition]:
                    behind.discard(partition)

    def _takers(self) -> dict[str, Callable[[bytes], None]]:
        return {
            "sales": self._take_sale,
            "fulfillments": self._take_fulfillment,
            "stock.movements": self._take_moves,
            "dead.letters": self._take_letter,
        }

    def _new(self, event_id: str) -> bool:
        if event_id in self._seen:
            self.doubled += 1
            return False
        self._seen.add(event_id)
        return True

    def _take_sale(self, value: bytes) -> None:
        sale = self._sale.decode(value)
        if not self._new(sale.event_id):
            return
        before = self.sales.get(sale.sale_id)
        if sale.revision != (before.revision + 1 if before else 1):
            self.gaps += 1
        if before is None:
            self.orders[sale.store_id, sale.order_id] += 1
        self.sales.pop(sale.sale_id, None)  # so that the newest change stands last
        self.sales[sale.sale_id] = sale

    def _take_fulfillment(self, value: bytes) -> None:
        self.fulfillments += self._new(self._event.decode(value).event_id)

    def _take_moves(self, value: bytes) -> None:
        moves = self._moves.decode(value)
        if not self._new(moves.event_id):
            return
        for movement in moves.movements:
            level = self.levels[moves.store_id, movement.product_id, movement.outlet_id]
            level.on_hand += movement.on_hand
            level.allocated += movement.allocated
            if movement.revision != level.revisions + 1:
                self.gaps += 1
            level.revisions = movement.revision
            self.movements += 1

    def _take_letter(self, value: bytes) -> None:
        self.dead_letters += self._new(self._letter.decode(value).dead_letter_id)

    def newest(self, count: int) -> list[SeenSale]:
        """Return the sales that changed last, the newest first."""
        return [self.sales[sale_id] for sale_id in islice(reversed(self.sales), count)]

    def allocated(self) -> dict[LevelKey, tuple[Decimal, Decimal]]:
        """Return, per level, what all sales together hold there: (quantity, of which backordered)."""
        held: dict[LevelKey, tuple[Decimal, Decimal]] = {}
        for sale in self.sales.values():
            for line in sale.lines:
                parts = [(line.product_id, line.allocations)]
                parts += [(component.product_id, component.allocations) for component in line.components]
                for product_id, allocations in parts:
                    if product_id is None:
                        continue
                    for allocation in allocations:
                        key = (sale.store_id, product_id, allocation.outlet_id)
                        quantity, backordered = held.get(key, (Decimal(0), Decimal(0)))
                        held[key] = (quantity + allocation.quantity, backordered + allocation.backordered)
        return held
