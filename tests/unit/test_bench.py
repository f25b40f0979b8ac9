"""What the benchmark makes of its figures."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.bench.report import Figure, Machine, Measured, Report
from deploy.demo.keeper import WorkerProcess
from tests.bench.growth import Cost, Scale, judged
from tests.bench.trend import trend

MACHINE = Machine(cpus=2, processor="", python="", load=0.0)
SCALE = Scale(backlog=1, history=1)


def cost(name: str, *stock_us: float) -> Cost:
    return Cost(
        name=name, scale=SCALE, rounds=[{"stock worker": used, "broker": 9 * used} for used in stock_us]
    )


def ended_process() -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process


def test_a_ratio_is_ours_over_theirs_and_its_cpu_that_of_the_programs_without_the_servers() -> None:
    ours = Figure(value=5_000, count=1, seconds=1, cpu_us={"stock": 200.0, "kafka": 40.0})
    theirs = Figure(value=10_000, count=1, seconds=1, cpu_us={"client": 80.0})
    measured = Measured(name="stock worker", unit="orders/s", figure=ours, beside={"bare": theirs})
    (ratio,) = Report.of([measured], MACHINE).ratios
    assert (ratio.value, ratio.own_cpu) == (0.5, 2.5)


def test_a_latency_has_a_ratio_to_each_reference_also_where_nobody_took_its_cpu() -> None:
    measured = Measured(
        name="p99",
        unit="ms",
        figure=Figure(value=50, count=1, seconds=1),
        beside={"plain": Figure(value=100, count=1, seconds=1), "bare": Figure(value=25, count=1, seconds=1)},
    )
    ratios = {ratio.to: (ratio.value, ratio.own_cpu) for ratio in Report.of([measured], MACHINE).ratios}
    assert ratios == {"plain": (0.5, None), "bare": (2.0, None)}


def test_growth_compares_the_least_of_the_rounds_and_holds_the_workers_to_the_aim() -> None:
    growth = judged([cost("base", 100, 150), cost("stores", 240, 119)], MACHINE)
    assert growth.ratios == {"stores": {"stock worker": 1.19, "broker": 1.19}}
    assert growth.flat
    assert not judged([cost("base", 100, 150), cost("stores", 240, 121)], MACHINE).flat


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ([100, 101, 99, 100, 100, 100], True),
        ([100, 110, 120, 130, 140, 150], False),
        # Rises by no more than it may, but nobody can tell.
        ([100, 60, 140, 70, 150, 90], False),
        ([150, 140, 130, 120, 110, 100], True),
    ],
)
def test_samples_are_flat_when_their_rise_is_surely_within_the_bound(values: list[float], flat: bool) -> None:
    assert trend([0, 10, 20, 30, 40, 50], values, bound=5).flat is flat


def test_two_samples_are_no_trend() -> None:
    with pytest.raises(ValueError, match="longer"):
        trend([0, 10], [1, 1], bound=1)


async def test_a_worker_that_ended_by_itself_is_told_from_one_that_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerProcess("stock", {}, tmp_path / "log")
    assert not worker.wanted
    ended = ended_process()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: ended)
    worker.start()
    assert worker.wanted and not worker.running
    await worker.stop()
    assert not worker.wanted
