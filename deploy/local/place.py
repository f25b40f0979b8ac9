"""Where a stack keeps its data, and where its downloads are kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from deploy.local import account
from deploy.local.errors import StackError

_SOURCE_ROOT = Path(__file__).resolve().parents[2]


def project_root() -> Path:
    """Return the checkout that this code runs from, or the current directory for an installed package."""
    if (_SOURCE_ROOT / "pyproject.toml").is_file() and (_SOURCE_ROOT / "tillstream").is_file():
        return _SOURCE_ROOT
    return Path.cwd()


def default_data_dir() -> Path:
    """Return the data directory that commands use when none is named.

    `TILLSTREAM_DATA_DIR`, else `.tillstream` of the project. For root, in a project that the database's
    user cannot reach (below a closed home directory, say): a directory of the system's, by project.
    """
    if configured := os.environ.get("TILLSTREAM_DATA_DIR"):
        return Path(configured).expanduser().absolute()
    wanted = project_root() / ".tillstream"
    user = account.for_database()
    if user is None or user.can_reach(wanted):
        return wanted
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
    return Path("/var/lib/tillstream") / name


def cache_dir() -> Path:
    """Return the per-user directory of downloads (`TILLSTREAM_CACHE_DIR` overrides it), made if missing."""
    configured = os.environ.get("TILLSTREAM_CACHE_DIR")
    path = (
        Path(configured).expanduser().absolute() if configured else platformdirs.user_cache_path("tillstream")
    )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(
            f"cannot make the cache directory {path}: {error}; set TILLSTREAM_CACHE_DIR to a writable one"
        ) from error
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file while the block runs, waiting for other processes that hold it.

    The system releases it when its holder dies, so it cannot go stale.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
