"""What a stack remembers of its running servers: one small file for each."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from deploy.local.process import Server


class ServerState(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """A server that was started, with the ports it was given (by name: broker, controller, postgres)."""

    pid: int
    started: float
    ports: dict[str, int]

    def server(self, program: str, mark: str) -> Server:
        return Server(self.pid, self.started, program, mark)


_decoder = msgspec.json.Decoder(ServerState)


def load(path: Path) -> ServerState | None:
    """Read a state file; None when it is missing or was only half written."""
    try:
        return _decoder.decode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError:
        # A torn file says nothing: the server, if there is one, is found by its arguments instead.
        return None


def save(path: Path, state: ServerState) -> None:
    """Write a state file whole or not at all."""
    write_private(path, msgspec.json.encode(state))


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
