"""A folder of this process alone: removed at its end, or by the next start if it was killed."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

log = logging.getLogger(__name__)

# Of the common folder: whoever makes or clears away folders in it holds this.
_TURN = ".turn"
# Of a process's folder: held as long as the process lives.
_LOCK = "lock"
_CONTENT = "content"


class Folder:
    """`path` is empty at the start and no other process's.

    Locks are the operating system's (`flock`) and end with the process, however it ends: so what is locked
    is in use, and what is not is left over. Raises `OSError` when the folder cannot be made.
    """

    def __init__(self, common: Path, name: str) -> None:
        common.mkdir(mode=0o700, parents=True, exist_ok=True)
        if common.stat().st_uid not in (0, os.getuid()):
            raise PermissionError("it belongs to another user")
        with _turn(common):
            _clear_away(common)
            self._home = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=common))
            self._lock = _open(self._home / _LOCK)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._common = common
        self.path = self._home / _CONTENT
        self.path.mkdir()

    def remove(self) -> None:
        """Delete the folder and all in it; once is enough."""
        if self._lock < 0:
            return
        with _turn(self._common):
            _remove(self._home)
            os.close(self._lock)
            self._lock = -1


def _clear_away(common: Path) -> None:
    for home in sorted(common.iterdir()):
        if home.is_symlink() or not home.is_dir():
            continue
        if not (home / _LOCK).is_file():
            with suppress(OSError):
                home.rmdir()  # of a process killed before it had its lock; what is not empty is not ours
            continue
        with suppress(OSError):  # still in use, or another user's
            lock = _open(home / _LOCK)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(home)
                log.info("removed %s, left by a process that is gone", home)
            finally:
                os.close(lock)


def _remove(home: Path) -> None:
    """Content first: a folder that still has its lock is known for what it is."""
    shutil.rmtree(home / _CONTENT, ignore_errors=True)
    (home / _LOCK).unlink(missing_ok=True)
    home.rmdir()


@contextmanager
def _turn(common: Path) -> Iterator[None]:
    turn = _open(common / _TURN)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
