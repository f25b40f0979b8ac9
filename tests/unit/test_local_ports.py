"""Free ports on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from deploy.local import ports


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        yield server


def test_a_port_that_a_server_listens_on_is_not_free(listener: socket.socket) -> None:
    assert not ports.is_free(listener.getsockname()[1])


def test_a_port_is_free_again_at_once_when_its_server_has_gone(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection((ports.LOOPBACK, port)) as client, listener.accept()[0] as connection:
        connection.close()  # the server's side closes first: its port then waits in the system for a minute
        assert client.recv(1) == b""
    listener.close()
    assert ports.is_free(port)


def test_the_preferred_port_is_taken_when_it_is_free(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    assert ports.choose(port) == port


def test_another_port_is_found_when_the_preferred_one_is_in_use(listener: socket.socket) -> None:
    busy = listener.getsockname()[1]
    chosen = ports.choose(busy)
    assert chosen != busy
    assert ports.is_free(chosen)


def test_two_ports_of_one_choice_differ() -> None:
    first = ports.choose(0)
    assert ports.choose(first, {first}) != first


def test_a_chosen_port_is_none_that_the_system_gives_to_outgoing_connections() -> None:
    with (
        socket.create_server((ports.LOOPBACK, 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        lowest = min(server.getsockname()[1], client.getsockname()[1])
    assert ports.choose(0) < 32_768 <= lowest
