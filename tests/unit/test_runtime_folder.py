"""A worker's own folder for rows: never shared, never left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.runtime.folder import Folder


def test_the_folder_is_this_users_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "tables", "stock")
    assert (folder.path.parent.stat().st_mode & 0o777, list(folder.path.iterdir())) == (0o700, [])
    (folder.path / "rows").mkdir()
    folder.remove()
    assert [path.name for path in (tmp_path / "tables").iterdir()] == [".turn"]


def test_two_workers_never_share_a_folder(tmp_path: Path) -> None:
    first, second = Folder(tmp_path, "stock"), Folder(tmp_path, "stock")
    assert first.path != second.path
    assert first.path.is_dir()  # the second start left it alone
    second.remove()
    assert first.path.is_dir()
    first.remove()


def test_what_a_killed_worker_left_goes_at_the_next_start(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from streams.runtime.folder import Folder;"
        "folder = Folder(Path(sys.argv[1]), 'stock'); (folder.path / 'rows').write_text('x');"
        "print(folder.path, flush=True); time.sleep(60)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as worker:
        assert worker.stdout is not None
        left = Path(worker.stdout.readline().strip())
        running = Folder(tmp_path, "stock")
        assert (left / "rows").exists()
        worker.kill()
    next_start = Folder(tmp_path, "stock")
    assert not left.parent.exists()
    assert running.path.exists()
    next_start.remove()
    running.remove()


def test_what_is_not_a_workers_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "of-mine").write_text("x")
    (tmp_path / "notes").write_text("x")
    Folder(tmp_path, "stock").remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".turn", "backups", "notes"]


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(PermissionError, match="belongs to another user"):
        Folder(tmp_path, "stock")
