"""What every allocation keeps to, whatever the order and the stock (DOMAIN 3)."""

from collections import defaultdict
from decimal import Decimal
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.domain.policies import POLICIES, Counter, Take, Want, lightspeed
from tests.pure_store import count, item, order, outlet, shop
from topics.ids import OutletId, ProductId

QUANTITIES = st.integers(1, 6).map(Decimal)


@st.composite
def situations(draw: st.DrawFn, outlets: int = 5) -> tuple[list[Want], Counter]:
    size = draw(st.integers(1, outlets))
    names = [
        ProductId(name)
        for name in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True))
    ]
    levels = st.lists(st.integers(0, 7).map(Decimal), min_size=size, max_size=size)
    stock = {name: draw(levels) for name in names}
    wants = draw(st.lists(st.builds(Want, st.sampled_from(names), QUANTITIES), min_size=1, max_size=5))
    ranks = sorted(draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)))
    used = draw(st.frozensets(st.integers(0, size - 1), max_size=2))
    wanted = {want.product_id for want in wants}
    counter = Counter(
        [OutletId(f"o{place}") for place in range(size)],
        tuple(ranks),
        {name: row for name, row in stock.items() if name in wanted},
        used,
    )
    return wants, counter


def taken(wants: list[Want], takes: list[Take]) -> dict[tuple[ProductId, int], Decimal]:
    sums: dict[tuple[ProductId, int], Decimal] = defaultdict(Decimal)
    for take in takes:
        sums[wants[take.want].product_id, take.place] += take.quantity
    return sums


def all_there_is(wants: list[Want], counter: Counter) -> Decimal:
    need: dict[ProductId, Decimal] = defaultdict(Decimal)
    for want in wants:
        need[want.product_id] += want.quantity
    return sum(
        (min(quantity, sum(counter.available[product])) for product, quantity in need.items()), Decimal(0)
    )


@given(situations(), st.sampled_from(sorted(POLICIES)))
def test_a_policy_takes_all_it_can_and_never_what_is_not_wanted_or_not_there(
    situation: tuple[list[Want], Counter], policy: str
) -> None:
    wants, counter = situation
    takes = POLICIES[policy](wants, counter)
    per_want: dict[int, Decimal] = defaultdict(Decimal)
    for take in takes:
        assert take.quantity > 0
        per_want[take.want] += take.quantity
    assert all(quantity <= wants[number].quantity for number, quantity in per_want.items())
    assert all(
        quantity <= counter.available[product][place]
        for (product, place), quantity in taken(wants, takes).items()
    )
    assert sum(per_want.values(), Decimal(0)) == all_there_is(wants, counter)


@given(situations(), st.sampled_from(sorted(POLICIES)))
def test_the_same_situation_has_the_same_answer(situation: tuple[list[Want], Counter], policy: str) -> None:
    wants, counter = situation
    assert POLICIES[policy](wants, counter) == POLICIES[policy](list(wants), counter)


@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_does_not_matter_to_the_outlets(
    situation: tuple[list[Want], Counter], chance: object
) -> None:
    wants, counter = situation
    shuffled = list(wants)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert taken(wants, lightspeed(wants, counter)) == taken(shuffled, lightspeed(shuffled, counter))


def fits_whole(wants: list[Want], counter: Counter, places: tuple[int, ...]) -> bool:
    """Try every way to place the lines whole: what the search is measured against."""
    left = {(product, place): row[place] for product, row in counter.available.items() for place in places}

    def place_from(number: int) -> bool:
        if number == len(wants):
            return True
        product, quantity = wants[number].product_id, wants[number].quantity
        for place in places:
            if left[product, place] >= quantity:
                left[product, place] -= quantity
                if place_from(number + 1):
                    return True
                left[product, place] += quantity
        return False

    return place_from(0)


@given(situations())
def test_lines_stay_whole_over_the_fewest_and_best_outlets_when_that_can_be(
    situation: tuple[list[Want], Counter],
) -> None:
    wants, counter = situation
    counter = replace(counter, used=frozenset(), ranks=tuple(range(len(counter.outlets))))
    takes = lightspeed(wants, counter)
    everywhere = range(len(counter.outlets))
    best = next(
        (
            places
            for size in range(1, len(counter.outlets) + 1)
            for places in combinations(everywhere, size)
            if fits_whole(wants, counter, places)
        ),
        None,
    )
    if best is not None:
        assert {take.place for take in takes} == set(best)
        assert len(takes) == len(wants)


@given(situations(4))
def test_split_lines_use_no_more_outlets_than_it_takes(situation: tuple[list[Want], Counter]) -> None:
    wants, counter = situation
    counter = replace(counter, used=frozenset())
    takes = lightspeed(wants, counter)
    everywhere = tuple(range(len(counter.outlets)))
    if takes and not fits_whole(wants, counter, everywhere):
        target = all_there_is(wants, counter)
        fewest = next(
            size
            for size in range(1, len(everywhere) + 1)
            for places in combinations(everywhere, size)
            if all_there_is(
                wants,
                replace(
                    counter,
                    available={p: [row[place] for place in places] for p, row in counter.available.items()},
                ),
            )
            == target
        )
        assert len({take.place for take in takes}) == fewest


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 5)), min_size=1, max_size=5),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["o1", "o2", "o3"]), st.integers(-3, 6)), max_size=9
    ),
    st.sampled_from(["allow", "restrict"]),
)
def test_an_order_conserves_quantities_and_oversells_only_when_it_may(
    lines: list[tuple[str, int]], levels: list[tuple[str, str, int]], oversell: str
) -> None:
    store = shop(
        *(count(name, "o1", 0) for name in "abc"),
        *(count(*level) for level in levels),
        outlets=(outlet("o1", 1), outlet("o2", 1), outlet("o3", 2)),
        oversell=oversell,
    )
    store.tell(
        order("A", *(item(sku, quantity, place) for place, (sku, quantity) in enumerate(lines, start=1)))
    )
    for line in store.sale("A").lines:
        assert sum((a.quantity for a in line.allocations), line.unallocated) == line.quantity
        if oversell == "restrict":
            assert line.backordered == 0
        else:
            assert line.unallocated == 0
    store.check()
