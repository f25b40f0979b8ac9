"""A row that cannot be read is found, and mended by hand, with the workers stopped."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from storage.operations.audit import list_audited
from streams.domain import tables
from tests.system.installation import SHORT_SESSION
from tests.system.offline.conftest import AFTER, Stopped, read_rows
from tests.system.offline.life import STRICT
from topics.partitions import partition_of
from topics.registry import changelog_name

pytestmark = pytest.mark.timeout(400)  # the first of them waits for the installation


async def test_a_row_that_cannot_be_read_is_found_and_mended(stopped: Stopped, tmp_path: Path) -> None:
    topic = changelog_name(stopped.move.new.worker.app_id("stock"), tables.STOCK)
    key = f"{STRICT}\0p-tea".encode()
    partition = partition_of(STRICT.encode(), AFTER)
    whole = await read_rows(stopped.move.new, AFTER)
    await stopped.shop._producer.send_and_wait(topic, b'[{"o1": tor', key=key, partition=partition)
    code, told = await _tables(stopped, "verify")
    assert (code, told["missing"]) == (3, [])
    (broken,) = told["undecodable"]
    assert (broken["table"], broken["partition"], broken["key"]) == ("stock", partition, f"{STRICT}%00p-tea")
    row = tmp_path / "row.json"
    row.write_bytes(whole[tables.STOCK, key])
    mending = ("repair", "--table", "stock", "--key", broken["key"], "--value", str(row))
    code, told = await _tables(stopped, *mending)
    assert (code, told["applied"], told["readable"]) == (0, False, False)
    assert (await read_rows(stopped.move.new, AFTER))[tables.STOCK, key] == b'[{"o1": tor'
    code, told = await _tables(stopped, *mending, "--apply", "--why", "a torn row")
    assert (code, told["applied"]) == (0, True)
    assert await read_rows(stopped.move.new, AFTER) == whole
    async with stopped.shop.connected() as connection:
        (entry,) = await list_audited(connection, action="tables")
    assert (entry.action, entry.reason, entry.state) == ("tables repair", "a torn row", "done")


async def _tables(stopped: Stopped, *words: str) -> tuple[int, Any]:
    """Run `tillstream tables …` on the new generation; return its exit code and what it prints."""
    prefix = {"TILLSTREAM_PREFIX": stopped.move.new.worker.prefix}
    environment = stopped.shop._environment | SHORT_SESSION | prefix
    ran = await asyncio.to_thread(stopped.forked.run, ["tables", *words, "--json"], environment)
    assert ran.code in (0, 3), ran.err
    return ran.code, json.loads(ran.out)
