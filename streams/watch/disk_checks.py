"""Checks of disks: how much room there is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from streams.settings import Settings
from streams.watch.finding import Finding, fine, problem, warning

GIB = 1 << 30
FULL_SHARE, FULL_BYTES = 0.03, GIB
TIGHT_SHARE, TIGHT_BYTES = 0.10, 5 * GIB


def room(check: str, places: Mapping[str, tuple[int, int]], remedy: str) -> Finding:
    """Judge places by the bytes that are free there and those that there are in all."""
    if not places:
        return fine(check, "nothing to look at")
    told = [
        f"{name}: {free / GIB:.1f} of {total / GIB:.1f} GiB free" for name, (free, total) in places.items()
    ]
    name, (free, total) = min(places.items(), key=lambda place: place[1][0])
    found = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free at {name}"
    if free < FULL_BYTES or any(free < FULL_SHARE * total for free, total in places.values()):
        return problem(check, found, remedy, told)
    if free < TIGHT_BYTES or any(free < TIGHT_SHARE * total for free, total in places.values()):
        return warning(check, found, remedy, told)
    return fine(check, found)


def here(settings: Settings) -> Finding:
    """Check the room on this machine: for table rows that leave memory, and for the local stack."""
    worker = settings.worker
    folders = [worker.tables_dir()] if worker.table_memory_mib else []
    if worker.data_dir is not None:
        folders.append(worker.data_dir.expanduser().absolute())
    places: dict[str, tuple[int, int]] = {}
    for folder in folders:
        usage = shutil.disk_usage(_existing(folder))
        places[str(folder)] = (usage.free, usage.total)
    return room(
        "disk of this machine",
        places,
        "make room, or name another disk in TILLSTREAM_TABLE_DIR (runbook disk-full)",
    )


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
