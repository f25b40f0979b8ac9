"""The time of a record is the broker's word, and not always one that can be."""

from datetime import UTC, datetime

import pytest

from topics import moments


@pytest.mark.parametrize(
    ("timestamp", "year"),
    [(1_772_010_000_000, 2026), (-1, 1970), (10**18, 2199), (-(10**18), 1970)],
)
def test_any_timestamp_of_a_record_becomes_a_time_that_can_be(timestamp: int, year: int) -> None:
    assert moments.of_record(timestamp).year == year


def test_a_record_time_is_kept_to_the_millisecond() -> None:
    assert moments.of_record(1_772_010_000_123) == datetime(2026, 2, 25, 9, 0, 0, 123_000, tzinfo=UTC)
