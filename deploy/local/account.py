"""The user that Postgres runs as when we are root: it refuses to run as root itself."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from deploy.local.errors import StackError

# Accounts that systems ship for a database, then the one that every system has.
_CANDIDATES = ("postgres", "_postgres", "nobody")


class PopenArguments(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user of this system."""

    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> PopenArguments:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_reach(self, path: Path) -> bool:
        """Tell whether this account may pass through every existing directory down to `path`."""
        return self.barrier(path) is None

    def barrier(self, path: Path) -> Path | None:
        """Return the uppermost existing directory on the way to `path` that shuts this account out."""
        path = path.absolute()
        for directory in (*reversed(path.parents), path):
            try:
                status = directory.stat()
            except FileNotFoundError:
                return None  # what does not exist yet will be made by us, passable
            if not directory.is_dir():
                return None
            if status.st_uid == self.uid:
                allowed = status.st_mode & 0o100
            elif status.st_gid == self.gid:
                allowed = status.st_mode & 0o010
            else:
                allowed = status.st_mode & 0o001
            if not allowed:
                return directory
        return None


def for_database(existing: Path | None = None) -> Account | None:
    """Return the account to run Postgres as, or None when we are an ordinary user and need none.

    `existing` is a database directory: if another user than root owns it, that user goes on owning it.
    """
    if os.geteuid() != 0:
        return None
    if existing is not None and existing.exists() and (owner := existing.stat().st_uid) != 0:
        try:
            entry = pwd.getpwuid(owner)
        except KeyError:
            raise StackError(
                f"{existing} belongs to user id {owner}, which this system does not know; "
                "give it to an existing user, or take another --data-dir"
            ) from None
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise StackError(
        f"Postgres cannot run as root, and none of the users {', '.join(_CANDIDATES)} exists here; "
        "add one of them, or run this as an ordinary user"
    )
