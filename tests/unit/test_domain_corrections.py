"""An operator puts a level right: once, against the level it was computed from, and with a movement."""

from decimal import Decimal
from typing import Any

import msgspec

from streams.domain import tables
from streams.domain.outcomes import Outcome
from streams.domain.state import Level, Stock
from tests.pure_pos import acknowledged, pos_line, pos_row, progress
from tests.pure_store import PureStore, count, item, order, shop
from topics.corrections import Correction, LedgerLevel
from topics.exceptions import ExceptionChanged
from topics.ids import OutletId, ProductId
from topics.movements import StockMoved

REFUSED = ("correction_refused", "level/cup/o1")


def correction(name: str, revision: int, **changes: Any) -> Correction:
    """Return a correction of the cups at the first outlet."""
    settings: dict[str, Any] = {
        "correction_id": name,
        "product_id": ProductId("cup"),
        "outlet_id": OutletId("o1"),
        "revision": revision,
        "reason": "miscounted",
        "operator": "ada",
    }
    numbers = {key: Decimal(value) if isinstance(value, int) else value for key, value in changes.items()}
    return Correction(**(settings | numbers))


def level(store: PureStore) -> Level:
    return store.books().stock(ProductId("cup")).outlets[OutletId("o1")]


def damage(store: PureStore, **changes: Any) -> None:
    """Change the level in the table alone, as no rule does."""
    stock: Stock = store.books().stock(ProductId("cup"))
    broken = msgspec.structs.replace(stock.outlets[OutletId("o1")], **changes)
    row = msgspec.structs.replace(stock, outlets={**stock.outlets, OutletId("o1"): broken})
    books = store.books()
    books.put(tables.STOCK, "cup", row)
    store.tables.apply(books)


def test_a_correction_raises_the_level_by_a_movement_of_its_own() -> None:
    store = shop(count("cup", "o1", 10))
    assert store.tell(correction("c-1", 1, on_hand=-3)) is Outcome.DECIDED
    store.check()
    assert store.stand("cup", "o1") == (7, 0, 0)
    moved = store.of(StockMoved)[-1]
    (movement,) = moved.movements
    assert (moved.cause, moved.source.topic, movement.kind) == ("corrected", "stock.corrections", "corrected")
    assert (movement.on_hand, movement.on_hand_after, movement.revision) == (-3, 7, 2)
    assert store.online("CUP") == 7


def test_the_same_correction_again_changes_nothing_even_when_another_one_came_between() -> None:
    store = shop(count("cup", "o1", 10))
    first = correction("c-1", 1, on_hand=2)
    store.tell(first)
    assert store.tell(first) is Outcome.UNCHANGED
    store.tell(correction("c-2", 2, on_hand=-2))
    store.tell(count("cup", "o1", 4))
    assert store.tell(first) is Outcome.UNCHANGED
    store.check()
    assert store.stand("cup", "o1") == (4, 0, 0)
    assert not store.open_exceptions()


def test_a_correction_of_a_level_that_has_moved_since_is_refused_visibly() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2)))
    assert store.tell(correction("c-1", 1, on_hand=-3)) is Outcome.CONFLICT
    store.check()
    assert store.stand("cup", "o1") == (10, 2, 0)
    assert store.open_exceptions() == {REFUSED}
    told = store.of(ExceptionChanged)[-1]
    assert told.detail == (
        "correction c-1: it was computed at revision 1 of the level, which is at 2 by now: compute it anew"
    )


def test_a_refusal_is_over_with_the_next_correction_that_fits_even_one_of_nothing() -> None:
    for changes in ({"on_hand": -3}, {}):
        store = shop(count("cup", "o1", 10))
        store.tell(correction("c-1", 7, on_hand=-3))
        assert store.open_exceptions() == {REFUSED}
        store.tell(correction("c-2", 1, **changes))
        assert not store.open_exceptions()
        store.check()


def test_a_refused_correction_does_not_apply_when_it_comes_again() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(correction("c-1", 2, on_hand=-3))
    store.tell(count("cup", "o1", 11))
    assert store.tell(correction("c-1", 2, on_hand=-3)) is Outcome.UNCHANGED
    assert store.stand("cup", "o1") == (11, 0, 0)


def test_nothing_is_corrected_below_zero_promises() -> None:
    store = shop(count("cup", "o1", 10))
    assert store.tell(correction("c-1", 1, allocated=-1)) is Outcome.CONFLICT
    assert store.tell(correction("c-2", 1, awaiting=-1)) is Outcome.CONFLICT
    assert store.stand("cup", "o1") == (10, 0, 0)
    store.check()


def test_what_becomes_free_goes_to_the_order_that_waits_for_it() -> None:
    store = shop(count("cup", "o1", 1))
    store.tell(order("A", item("CUP", 3)))
    assert store.flags("A") == ["backordered"]
    store.tell(correction("c-1", level(store).revision, on_hand=2))
    assert store.flags("A") == []
    store.check()


def test_pieces_that_await_their_count_are_corrected_the_oldest_first() -> None:
    store = shop(count("cup", "o1", 10))
    for name in ("A", "B"):
        store.tell(order(name, item("CUP", 2)))
        store.tell(acknowledged(name, pos_line("cup", 2, f"row-{name}")))
        store.tell(progress(name, pos_row("cup", 2, 2), state="fulfilled"))
    assert store.stand("cup", "o1") == (10, 0, 4)
    left = level(store).awaited[-1]
    store.tell(correction("c-1", level(store).revision, awaiting=-3))
    assert store.stand("cup", "o1") == (10, 0, 1)
    assert level(store).awaited == (msgspec.structs.replace(left, quantity=Decimal(1)),)
    store.tell(correction("c-2", level(store).revision, awaiting=2))
    assert store.stand("cup", "o1") == (10, 0, 3)
    store.check()
    store.tell(count("cup", "o1", 6))
    assert store.stand("cup", "o1") == (6, 0, 0)
    store.check()


def test_a_level_at_an_outlet_that_is_not_connected_keeps_its_exception_right() -> None:
    store = shop(count("cup", "o9", 5))
    damage_free = correction("c-1", 1, outlet_id=OutletId("o9"), on_hand=-1)
    store.tell(damage_free)
    store.check()
    assert store.stand("cup", "o9") == (4, 0, 0)


def test_a_table_that_is_unlike_its_movements_is_put_right_with_them() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2)))
    damage(store, on_hand=Decimal(14), allocated=Decimal(5))
    ledger = LedgerLevel(revision=2, on_hand=Decimal(10), allocated=Decimal(2))
    store.tell(correction("c-1", 2, on_hand=-4, allocated=-3, ledger=ledger))
    assert store.stand("cup", "o1") == (10, 2, 0)
    (movement,) = store.of(StockMoved)[-1].movements
    assert (movement.on_hand, movement.allocated, movement.revision) == (0, 0, 3)
    assert [store.reader.shelves[ProductId("cup"), OutletId("o1")].revision, level(store).revision] == [3, 3]


def test_movements_that_lack_what_the_table_has_get_it() -> None:
    store = shop(count("cup", "o1", 10))
    damage(store, on_hand=Decimal(14))
    store.tell(correction("c-1", 1, ledger=LedgerLevel(revision=1, on_hand=Decimal(10))))
    assert store.stand("cup", "o1") == (14, 0, 0)
    (movement,) = store.of(StockMoved)[-1].movements
    assert (movement.on_hand, movement.on_hand_after) == (4, 14)


def test_a_table_that_is_behind_its_movements_goes_on_after_them() -> None:
    store = shop(count("cup", "o1", 10), count("cup", "o1", 11), count("cup", "o1", 12))
    damage(store, on_hand=Decimal(10), revision=1)
    ledger = LedgerLevel(revision=3, on_hand=Decimal(12))
    store.tell(correction("c-1", 1, on_hand=2, ledger=ledger))
    assert (store.stand("cup", "o1"), level(store).revision) == ((12, 0, 0), 4)
    assert store.of(StockMoved)[-1].movements[0].revision == 4


def test_a_correction_of_a_store_without_a_link_waits_for_it() -> None:
    store = PureStore()
    assert store.tell(correction("c-1", 0, on_hand=3)) is Outcome.WAITING
    store.link(shop().books().link())
    store.check()
    assert store.stand("cup", "o1") == (3, 0, 0)
