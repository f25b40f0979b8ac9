"""What a stack remembers, and where it keeps its data."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from deploy.local import place, state
from deploy.local.account import Account
from deploy.local.state import ServerState


def test_a_saved_state_is_read_back(tmp_path: Path) -> None:
    saved = ServerState(42, 1.5, {"broker": 19092})
    state.save(tmp_path / "run" / "kafka.json", saved)
    assert state.load(tmp_path / "run" / "kafka.json") == saved


@pytest.mark.parametrize(
    "content", [b"", b'{"pid": 4', b"[]", b'{"pid": "x", "started": 1, "ports": {}}', b"\xff"]
)
def test_a_torn_state_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kafka.json"
    path.write_bytes(content)
    assert state.load(path) is None


def test_a_missing_state_file_counts_as_none(tmp_path: Path) -> None:
    assert state.load(tmp_path / "kafka.json") is None


def test_private_files_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    state.write_private(tmp_path / "secret", b"x")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_the_data_directory_can_be_set_by_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TILLSTREAM_DATA_DIR", str(tmp_path / "elsewhere"))
    assert place.default_data_dir() == tmp_path / "elsewhere"


def test_a_lock_is_exclusive_while_it_is_held_and_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with place.locked(path):
        descriptor = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_a_closed_directory_on_the_way_shuts_an_account_out() -> None:
    stranger = Account("stranger", 54321, 54321)
    with tempfile.TemporaryDirectory() as name:
        closed = Path(name).resolve()  # made with mode 0700
        assert stranger.barrier(closed / "below") == closed
        closed.chmod(0o711)
        assert stranger.can_reach(closed / "below")
        assert Account("owner", closed.stat().st_uid, 54321).can_reach(closed)
