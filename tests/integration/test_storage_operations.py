"""What operators do: recorded from beginning to end, and one at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from storage import schema
from storage.errors import BusyError, UnknownSchemaError
from storage.operations.audit import Order, audited, list_audited
from storage.operations.turn import turn

ORDER = Order("dlq redrive", "ana@till", "the shop mended its prices", {"reason": "bad_number"})


@pytest.fixture
async def operator(database: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database, server_settings={"application_name": "tillstream cli"})
    await schema.migrate(connection, schema.OPERATIONS)
    await connection.execute("TRUNCATE tillstream_operations.audit")
    yield connection
    await connection.close()


async def test_what_was_done_is_recorded_with_who_why_and_its_numbers(operator: Any) -> None:
    async with audited(operator, ORDER) as result:
        (running,) = await list_audited(operator)
        result["sent"] = 3

    (done,) = await list_audited(operator, action="dlq")
    assert (running.state, running.ended_at) == ("running", None)
    assert (done.action, done.operator, done.reason, done.scope) == (
        "dlq redrive",
        "ana@till",
        "the shop mended its prices",
        {"reason": "bad_number"},
    )
    assert (done.state, done.result, done.error) == ("done", {"sent": 3}, None)
    assert done.ended_at is not None
    assert done.ended_at >= done.begun_at


async def test_what_failed_or_was_broken_off_is_recorded_so(operator: Any) -> None:
    with pytest.raises(OSError, match="no broker"):
        async with audited(operator, ORDER):
            raise OSError("no broker")
    with pytest.raises(asyncio.CancelledError):
        async with audited(operator, ORDER) as result:
            result["sent"] = 1
            raise asyncio.CancelledError

    cancelled, failed = await list_audited(operator)
    assert (failed.state, failed.error) == ("failed", "OSError: no broker")
    assert (cancelled.state, cancelled.result) == ("cancelled", {"sent": 1})
    assert await list_audited(operator, action="replay") == []


async def test_without_its_tables_nothing_is_begun(database: str, operator: Any) -> None:
    await operator.execute("DROP SCHEMA tillstream_operations CASCADE")

    with pytest.raises(UnknownSchemaError, match="tillstream db migrate"):
        async with audited(operator, ORDER):
            pytest.fail("it began")


async def test_two_operators_take_turns_and_the_second_hears_who_is_at_work(
    operator: Any, database: str
) -> None:
    other = await asyncpg.connect(database)
    async with turn(operator, "replay"):
        with pytest.raises(BusyError, match=r"at work on replay \(tillstream cli, there since"):
            async with turn(other, "replay"):
                pytest.fail("it had the turn")
        async with turn(other, "dead letters"):
            pass
    async with turn(other, "replay"):
        pass
    await other.close()


async def test_the_turn_of_an_operator_whose_session_ended_is_free(operator: Any, database: str) -> None:
    gone = await asyncpg.connect(database)
    holding = turn(gone, "replay")
    await holding.__aenter__()
    gone.terminate()
    while True:
        try:
            async with turn(operator, "replay"):
                break
        except BusyError:
            await asyncio.sleep(0.05)
    await holding.__aexit__(None, None, None)
