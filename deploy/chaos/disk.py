"""A small file system for Postgres' data, which can be full."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.postgres import Postgres

_CLONE_NEWNS = 0x00020000
ROOM = "8g"
"""It lies in memory, and takes only as much as is in it."""
_MARGIN = 1 << 18
_ATTEMPTS = 20


def privately() -> str | None:
    """Have what this process mounts seen by itself and its children alone; it is gone when they have ended.

    To be called before any thread is started. Return why it cannot be, None when it can.
    """
    if sys.platform != "linux":
        return f"{sys.platform} has no mount namespaces"
    if os.geteuid() != 0:
        return "only root may mount a small file system"
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        return f"no mount namespace of its own: {os.strerror(ctypes.get_errno())}"
    try:
        _run("mount", "--make-rprivate", "/")
    except StackError as error:
        return str(error)
    return None


class Disk:
    """The file system of a Postgres' data directory. `moved`: it is in use."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._home = postgres.home
        self.moved = False

    def move_in(self) -> None:
        """Bring the data of a Postgres that does not run to it.

        Raises:
            StackError: it cannot be mounted; the data is where it was.
        """
        owner = self._home.stat()
        aside = self._home.with_name("postgres.aside")
        self._home.rename(aside)
        self._home.mkdir()
        try:
            options = f"size={ROOM},mode=700,uid={owner.st_uid},gid={owner.st_gid}"
            _run("mount", "-t", "tmpfs", "-o", options, "tillstream-chaos", str(self._home))
        except StackError:
            self._home.rmdir()
            aside.rename(self._home)
            raise
        self.moved = True
        _copy(aside, self._home)
        shutil.rmtree(aside)

    def move_out(self, *, keep: bool) -> None:
        """Give it up once Postgres does not run; with `keep` its data is then where it was before."""
        if not self.moved:
            return
        aside = self._home.with_name("postgres.aside")
        if keep:
            aside.mkdir()
            shutil.copystat(self._home, aside)
            owner = self._home.stat()
            os.chown(aside, owner.st_uid, owner.st_gid)
            _copy(self._home, aside)
        _run("umount", str(self._home))
        self.moved = False
        self._home.rmdir()
        if keep:
            aside.rename(self._home)

    def fill(self) -> None:
        """From now on next to nothing fits.

        Raises:
            StackError: it cannot be made smaller.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            standing = os.statvfs(self._home)
            used = (standing.f_blocks - standing.f_bfree) * standing.f_frsize
            try:
                self._resize(str(used + _MARGIN))
            except StackError:  # more was written meanwhile
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    def empty(self) -> None:
        """Make room again."""
        self._resize(ROOM)

    def _resize(self, size: str) -> None:
        _run("mount", "-o", f"remount,size={size}", str(self._home))


def _copy(source: Path, target: Path) -> None:
    _run("cp", "-a", f"{source}/.", str(target))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own, no shell
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise StackError(f"{' '.join(command)}: {said}")
