"""The benchmark runs to its end, with everything that it compares."""

import json
import subprocess
import sys

import pytest

from tests.system.process import ROOT

PATIENCE_S = 1_500
SMALL = ("--orders", "1000", "--seconds", "5", "--rate", "20", "--rows", "20000")


@pytest.mark.long
@pytest.mark.timeout(1600)
def test_the_benchmark_tells_its_ratios_to_each_reference() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "bench", *SMALL, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert list(report) == ["ratios", "measured", "machine"]
    compared = {(ratio["name"], ratio["to"]) for ratio in report["ratios"]}
    assert compared == {
        ("stock worker, backlog", "bare consume, decode, produce"),
        ("history worker, backlog", "bare COPY"),
        ("replay", "bare COPY"),
        ("end to end, backlog", "plain Faust"),
        ("latency p50 at 20 orders/s", "plain Faust"),
        ("latency p99 at 20 orders/s", "plain Faust"),
        ("recovery", "bare consume into a dict"),
        ("memory per million stock rows", "bare consume into a dict"),
    }
    assert all(ratio["value"] > 0 for ratio in report["ratios"])
