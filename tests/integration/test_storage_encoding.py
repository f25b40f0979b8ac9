"""Our binary forms of numbers and times are those of Postgres, digit for digit."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.encoding import numeric, prepare, timestamptz
from storage.errors import RowError

EDGES = (
    "0", "0.00", "-0.0", "1", "-1", "10000", "9999.9999", "0.0001", "0.00001", "1E+3", "100000000", "-0.05",
    "999999999999.999999999999", "123456789.123456789",
)  # fmt: skip
numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30).filter(
    lambda number: len(number.as_tuple().digits) + abs(int(number.as_tuple().exponent)) < 60
)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=offsets)


@pytest.fixture(scope="module")
async def connection(database: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database, server_settings={"timezone": "UTC"})
    await prepare(connection)
    yield connection
    await connection.close()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=st.lists(numbers | st.sampled_from([Decimal(text) for text in EDGES]), min_size=1, max_size=50))
async def test_numbers_arrive_as_they_are_scale_included(connection: Any, some: list[Decimal]) -> None:
    arrived = await connection.fetchval("SELECT $1::numeric[]::text[]", [str(number) for number in some])

    assert [Decimal(text) for text in arrived] == some
    assert [_scale(text) for text in arrived] == [_scale(format(number, "f")) for number in some]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=st.lists(times, min_size=1, max_size=50))
async def test_times_arrive_to_the_microsecond_whatever_their_offset(
    connection: Any, some: list[datetime]
) -> None:
    arrived = await connection.fetchval(
        "SELECT array(SELECT to_char(t, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') FROM unnest($1::timestamptz[]) AS t)",
        [time.isoformat() for time in some],
    )

    assert [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in arrived] == some


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "", "12,5", "1E+999999", "1" * 300])
def test_what_is_not_a_finite_number_of_sane_length_is_refused(text: str) -> None:
    with pytest.raises(RowError):
        numeric(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-02T12:00:00", "2026-13-01T00:00:00Z"])
def test_what_is_not_a_time_with_an_offset_is_refused(text: str) -> None:
    with pytest.raises(RowError):
        timestamptz(text)


def _scale(text: str) -> int:
    return len(text.partition(".")[2])
