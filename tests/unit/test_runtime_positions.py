"""Where partitions start, and when a worker rather does not."""

import pytest
from faust.types import TP

from streams.runtime.errors import PositionError, TopicsError
from streams.runtime.positions import LogRange, start_position, start_positions
from streams.runtime.startup import check_topics

ORDERS = TP("ecom.orders", 2)
LOG = LogRange(100, 500)


@pytest.mark.parametrize("wanted", [100, 300, 500])
def test_a_position_that_the_log_has_is_taken(wanted: int) -> None:
    assert start_position(ORDERS, wanted, LOG, "group stock", "Do this.") == wanted


def test_a_partition_without_a_position_starts_at_the_earliest_record() -> None:
    start = start_positions({ORDERS: None}, {ORDERS: LOG}, "group stock", "Do this.")
    assert start.positions == {ORDERS: 100}
    assert start.behind == {ORDERS}


def test_records_deleted_unread_are_an_error_that_names_both_ends_and_the_remedy() -> None:
    with pytest.raises(PositionError) as caught:
        start_position(ORDERS, 90, LOG, "group stock", "Do this.")
    assert str(caught.value) == (
        "group stock wants offset 90 of ecom.orders partition 2, but the log begins at 100 (and ends at"
        " 500): 10 offsets were deleted unread. Do this."
    )


def test_a_position_beyond_the_end_is_an_error() -> None:
    with pytest.raises(PositionError, match=r"wants offset 501 .* but the log ends at 500 .* made anew"):
        start_position(ORDERS, 501, LOG, "group stock", "Do this.")


def test_topics_with_equal_partition_counts_fit() -> None:
    assert check_topics({"ecom.orders": 8, "sales": 8}) == 8


def test_missing_topics_are_named() -> None:
    with pytest.raises(TopicsError, match=r"missing: sales\. .* `tillstream topics create`"):
        check_topics({"ecom.orders": 8, "sales": 0})


def test_unequal_partition_counts_are_listed() -> None:
    with pytest.raises(TopicsError, match=r"ecom\.orders has 8, sales has 4"):
        check_topics({"ecom.orders": 8, "sales": 4})
