"""Server processes: which one is ours, and which one must never be touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local import process
from deploy.local.process import Server

PROGRAM = Path(sys.executable).name
STAY = "import time, sys; print('up', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {STAY}"


def start(tmp_path: Path, code: str = STAY) -> Server:
    """Start a stand-in for a server and wait until it has begun."""
    log = tmp_path / "log"
    mark = str(tmp_path / "mark")
    server = process.spawn([sys.executable, "-c", code, mark], mark=mark, log=log, environment=os.environ)
    while not log.read_text() and server.alive:
        pass
    return server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = start(tmp_path)
    yield server
    process.kill(server)


def test_a_started_server_is_alive_until_it_is_stopped(server: Server) -> None:
    assert server.alive
    process.stop(server, signal=signal.SIGTERM, grace_s=10)
    assert not server.alive
    assert server.exit_code() == -signal.SIGTERM


def test_a_server_that_ignores_its_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    server = start(tmp_path, STUBBORN)
    process.stop(server, signal=signal.SIGTERM, grace_s=0.1)
    assert server.exit_code() == -signal.SIGKILL


def test_a_pid_that_now_belongs_to_a_later_process_is_not_ours(server: Server) -> None:
    earlier = Server(server.pid, server.started - 3600, server.program, server.mark)
    assert not earlier.alive
    process.stop(earlier, signal=signal.SIGTERM, grace_s=1)
    process.kill(earlier)
    assert server.alive


def test_a_pid_that_now_belongs_to_another_program_is_not_ours(server: Server) -> None:
    other = Server(server.pid, server.started, "java", server.mark)
    other_place = Server(server.pid, server.started, server.program, "/another/place")
    assert not other.alive
    assert not other_place.alive
    process.kill(other)
    process.kill(other_place)
    assert server.alive


def test_a_zombie_is_not_alive(tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    # Not through spawn, which would reap it: a child that nobody waits for.
    child = subprocess.Popen([sys.executable, "-c", "", mark])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    found = process.find(PROGRAM, mark)
    child.wait()
    assert found is None


def test_a_server_whose_record_was_lost_is_found_by_its_mark(server: Server) -> None:
    found = process.find(PROGRAM, server.mark)
    assert found is not None
    assert found.pid == server.pid
    assert found.alive


def test_a_process_that_only_mentions_the_mark_is_not_found(server: Server) -> None:
    assert process.find(PROGRAM, f"{server.mark}/below") is None
    assert process.find("java", server.mark) is None


def test_a_server_has_a_session_of_its_own(server: Server) -> None:
    assert os.getsid(server.pid) == server.pid


def test_variables_that_would_change_a_server_are_kept_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("KEPT", "yes")
    environment = process.clean_environment("PG")
    assert "PGHOST" not in environment
    assert environment["KEPT"] == "yes"


def test_waiting_does_not_hang_on_a_zombie_that_nobody_collects() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    watched = psutil.Process(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process.wait_over([watched], timeout_s=30) == []
    child.wait()
