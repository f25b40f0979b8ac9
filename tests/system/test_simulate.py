"""`tillstream simulate` against what a worker really decided."""

from typing import Any

from tests.system.cases import LINK
from tests.system.installation import Installation
from tests.system.payloads import count, order, pos_fulfillment, pos_sale
from topics.codec import EVENTS

STORE = "simulated"


async def test_the_real_orders_under_another_policy_and_nothing_is_written(shop: Installation) -> None:
    await shop.publish("store.links", STORE, LINK)
    await shop.decided()
    await shop.publish("pos.inventory", STORE, count("HAT", "o1", 3), count("HAT", "o2", 10))
    await shop.publish("pos.inventory", STORE, count("SHOE", "o1", 2), count("SHOE", "o2", 10))
    await shop.decided()
    await shop.publish("ecom.orders", STORE, *(order(f"H{number}", ("HAT", 3)) for number in range(4)))
    await shop.decided()
    await shop.publish("pos.sales", STORE, pos_sale("P0", ("HAT", 3, 10.0), source_id="H0"))
    await shop.decided()
    gone = pos_fulfillment("P0", "o1", "FULFILLED", 1, (1, "HAT", 3))
    await shop.publish("pos.fulfillments", STORE, gone)
    await shop.decided()
    await shop.publish("pos.inventory", STORE, count("HAT", "o1", 2, 2))
    await shop.decided()
    await shop.publish("ecom.orders", STORE, order("H4", ("HAT", 2)), order("S1", ("SHOE", 3)))
    await shop.settled()
    before = {topic: await shop.visible(topic) for topic in EVENTS}

    told = await shop.ask("simulate", "--policy", "priority", "--store", STORE)
    again = await shop.ask("simulate", "--policy", "priority", "--store", STORE, "--from", "2020-01-01")

    assert told == again
    assert told["happened"] == told["own"]
    assert (told["happened"]["orders"], told["reproduced"], told["refused"]) == (6, 6, 0)
    assert (told["own"]["split"], told["simulated"]["split"], told["elsewhere"]) == (0, 1, 1)
    assert told["sample"] == [
        {"store_id": STORE, "order_id": "S1", "own": {"o2": 3}, "simulated": {"o1": 2, "o2": 1}}
    ]
    assert _pieces(told["simulated"]) == _pieces(told["own"]) == 17
    assert {topic: await shop.visible(topic) for topic in EVENTS} == before


def _pieces(figures: Any) -> int:
    return sum(int(load["pieces"]) for load in figures["load"])
