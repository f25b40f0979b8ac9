"""Chaos on the real parts: a sound build comes through, a broken one is found out."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.chaos.plan import SESSION_S, Fault
from deploy.chaos.result import Options, Result
from deploy.chaos.run import Chaos
from deploy.chaos.site import Site
from deploy.local.progress import Silent
from streams.cli.exits import Exit
from tests.system.process import ROOT
from tests.system.waiting import PATIENCE_S

KINDS = {"kill", "stop", "stall", "postgres"}
"""Of faults that these seeds bring in their first round; 125 kills the broker too, and fills a disk."""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory that the database's user can reach."""
    with TemporaryDirectory(prefix="tillstream-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [117, pytest.param(125, marks=pytest.mark.long)])
def test_a_round_of_chaos_costs_nothing(data_dir: Path, seed: int) -> None:
    command = ["chaos", "--rounds", "1", "--seed", str(seed), "--faults", "6", "--orders-per-round", "1500"]
    kept = data_dir / "kept"
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *command, "--keep", str(kept), "--json"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("TILLSTREAM_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == Exit.OK, done.stderr
    result = json.loads(done.stdout)
    assert set(result["faults"]) >= KINDS
    assert (result["orders"], result["sales"], result["findings"]) == (1_500, 1_500, [])
    assert (result["take_over_ms"] or result["back_ms"])["count"] > 0
    assert (kept / "postgres" / "PG_VERSION").is_file()


async def broken(data_dir: Path, name: str, faults: Sequence[Fault]) -> Result:
    """Play rounds of the same faults with a build that is broken on purpose, until it is found out."""
    command = ("-m", "tests.chaos.broken", name)
    options = Options(rounds=4, orders_per_round=3_000, rate=400.0)
    async with Site(data_dir, Silent(), small_disk=False, command=command) as site:
        return await Chaos(site, [tuple(faults)] * options.rounds, options, {}).run(lambda _: None)


@pytest.mark.long
async def test_a_worker_that_is_not_fenced_is_found_out(data_dir: Path) -> None:
    stops = [
        Fault(kind="stop", target=worker, after=after, lasts_s=2 * SESSION_S)
        for worker, after in (("stock", 300), ("stock-1", 1_800))
    ]
    result = await broken(data_dir, "no-fencing", stops)
    assert result.duplicated + result.torn + result.gaps > 0
    assert not result.kept


@pytest.mark.long
async def test_offsets_that_are_committed_outside_the_transaction_are_found_out(data_dir: Path) -> None:
    kills = [
        Fault(kind="kill", target=worker, after=after, lasts_s=2 * SESSION_S)
        for worker, after in (("stock", 300), ("stock-1", 1_800))
    ]
    result = await broken(data_dir, "offsets-outside-the-transaction", kills)
    assert result.torn > 0
    assert not result.kept
