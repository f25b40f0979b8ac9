"""What chaos does follows from its seed, and leaves nothing out for long."""

from itertools import chain

import pytest

from deploy.chaos.plan import KINDS, LAST, MOST_OFF_S, SESSION_S, draw, workers

ORDERS = 1_000
FAULTS = 4
PACK_ROUNDS = 5
"""After so many rounds the whole pack was dealt out."""


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert draw(7, 20, ORDERS, FAULTS) == draw(7, 20, ORDERS, FAULTS)
    assert draw(7, 20, ORDERS, FAULTS) != draw(8, 20, ORDERS, FAULTS)


def test_more_rounds_begin_like_fewer() -> None:
    assert draw(7, 20, ORDERS, FAULTS)[:5] == draw(7, 5, ORDERS, FAULTS)


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_of_fault_comes_soon(seed: int) -> None:
    assert {fault.kind for fault in chain(*draw(seed, PACK_ROUNDS, ORDERS, FAULTS))} == set(KINDS)


def test_a_kind_that_cannot_be_brought_about_is_left_out() -> None:
    kinds = [kind for kind in KINDS if kind != "disk"]
    assert {fault.kind for fault in chain(*draw(1, 20, ORDERS, FAULTS, kinds))} == set(kinds)


def test_every_worker_is_killed_and_stopped() -> None:
    faults = list(chain(*draw(1, 40, ORDERS, FAULTS)))
    for kind in ("kill", "stop"):
        assert {fault.target for fault in faults if fault.kind == kind} == set(workers())


def test_faults_come_in_order_while_there_are_orders_to_come() -> None:
    for faults in draw(3, 50, ORDERS, FAULTS):
        assert len(faults) == FAULTS
        moments = [fault.after for fault in faults]
        assert moments == sorted(moments)
        assert moments[0] > 0
        assert moments[-1] <= ORDERS * LAST


def test_a_worker_is_stopped_long_enough_to_be_replaced_and_a_clock_is_one_that_a_broker_takes() -> None:
    for fault in chain(*draw(3, 50, ORDERS, FAULTS)):
        if fault.kind == "stop":
            assert fault.lasts_s > SESSION_S
        if fault.kind == "clock":
            assert abs(fault.amount) <= MOST_OFF_S


def test_a_plan_is_told_in_words() -> None:
    told = [str(fault) for fault in chain(*draw(1, PACK_ROUNDS, ORDERS, FAULTS))]
    assert all(text.startswith("after ") for text in told)
    assert any("kill -9 the broker" in text for text in told)
    assert any("no space left for Postgres" in text for text in told)
