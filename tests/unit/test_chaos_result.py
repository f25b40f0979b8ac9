"""A run of chaos holds only when nothing at all was found."""

import pytest

from deploy.chaos.result import Result, Spread
from deploy.verify.findings import KINDS
from deploy.verify.verdict import Verdict


def result(**found: int) -> Result:
    counts = {
        "orders": 10,
        "sales": 10,
        "fulfillments": 10,
        "returns": 0,
        "refunds": 0,
        "dead_letters": 0,
    } | found
    return Result.of(
        Verdict(**counts, findings=()),
        seed=1,
        rounds=1,
        faults={"kill": 1},
        left_out={},
        records=100,
        take_over_ms=Spread.of([3_100.0]),
        back_ms=None,
        worker_ends={"70": 1},
        seconds=20.0,
    )


def test_a_run_without_findings_holds() -> None:
    assert result().kept


@pytest.mark.parametrize("kind", KINDS)
def test_one_finding_of_any_kind_fails_it(kind: str) -> None:
    assert not result(**{kind: 1}).kept


def test_an_order_that_is_not_written_fails_it_and_so_does_a_dead_letter() -> None:
    assert not result(sales=9).kept
    assert not result(dead_letters=1).kept


def test_a_spread_is_of_what_was_measured() -> None:
    assert Spread.of([]) is None
    assert Spread.of([float(number) for number in range(100, 0, -1)]) == Spread(51, 100, 100)
