"""The door in front of a server: open, slow, shut."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from deploy.chaos.door import Door
from deploy.local import ports

DELAY_S = 0.05


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A door in front of a server that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(echo, ports.LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    door = Door(lambda: port)
    await door.open()
    yield door
    await door.close()
    server.close()
    await server.wait_closed()


async def said(door: Door, *lines: bytes) -> bytes:
    """Say lines through the door, and return what comes back until the other side hangs up."""
    reader, writer = await asyncio.open_connection(ports.LOOPBACK, door.port)
    try:
        writer.writelines(lines)
        return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def test_what_is_said_passes_both_ways(door: Door) -> None:
    assert await said(door, b"hello\n") == b"hello\n"


async def test_a_slow_door_holds_everything_up(door: Door) -> None:
    door.delay_s = DELAY_S
    began = time.monotonic()
    assert await said(door, b"hello\n") == b"hello\n"
    assert time.monotonic() - began >= 2 * DELAY_S, "once each way"


async def test_a_shut_door_cuts_who_is_in_it_and_who_comes_and_opens_again(door: Door) -> None:
    reader, writer = await asyncio.open_connection(ports.LOOPBACK, door.port)
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    door.shut()
    with suppress(ConnectionError):
        assert await reader.read() == b""
    writer.transport.abort()
    assert await said(door, b"hello\n") == b""
    door.unlock()
    assert await said(door, b"hello\n") == b"hello\n"


async def test_a_server_that_is_away_is_away_behind_the_door(door: Door) -> None:
    nobody = Door(lambda: ports.choose(0))
    await nobody.open()
    try:
        assert await said(nobody, b"hello\n") == b""
    finally:
        await nobody.close()
