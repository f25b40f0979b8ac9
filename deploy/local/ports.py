"""Free ports on the loopback address."""

from __future__ import annotations

import errno
import secrets
import socket
import time

LOOPBACK = "127.0.0.1"

# Below the ports that systems give to outgoing connections. A server on one of those loses it when it is
# down for a moment: to any client, and first to its own clients, which try to reach it again and again.
_POOL = range(20_000, 32_000)
_TRIES = 200
_PATIENCE_S = 3.0


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now.

    A connection is tried too: where the system lets a second server bind beside a wildcard one, only
    that shows the first.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without this, connections of a server that just stopped keep its port "in use" for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return not answers(port)


def answers(port: int) -> bool:
    """Tell whether something accepts connections on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        # Linux lets a socket connect to itself when the kernel picks the wanted port as its own.
        return probe.connect_ex((LOOPBACK, port)) == 0 and probe.getsockname() != probe.getpeername()


def again(port: int) -> int:
    """Return the port that a server had before, waiting a little for it to get free, or another free one.

    A server that was just killed may hold its port for some moments longer.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not is_free(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    return choose(port)


def choose(preferred: int, taken: set[int] | None = None) -> int:
    """Return the preferred port if it is free and not in `taken`, else a free one picked at random.

    0 as preference is none. Raises OSError when no free port is found.
    """
    taken = taken or set()
    if preferred and preferred not in taken and is_free(preferred):
        return preferred
    for _ in range(_TRIES):
        port = secrets.choice(_POOL)
        if port not in taken and is_free(port):
            return port
    raise OSError(errno.EADDRINUSE, f"no free port found on {LOOPBACK} in {_TRIES} tries")
