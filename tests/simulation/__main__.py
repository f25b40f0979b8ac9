"""Run the simulation by hand: `python -m tests.simulation --runs 10000`; see `--help`."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import NamedTuple

from tests.simulation.breakages import BREAKAGES
from tests.simulation.shrink import Shrunk, part_of
from tests.simulation.verdict import judge
from tests.simulation.world import LATE_OFFSETS_S, Outcome, Plan, plan_of, run

CHUNK = 20
SHOWN_STEPS = 80


class Task(NamedTuple):
    """Seeds to run."""

    first: int
    seeds: int
    broken: str
    late_offsets: float


class Done(NamedTuple):
    """What came of a task; `failed` are seeds and what was wrong."""

    runs: int
    records: int
    units: int
    lives: int
    faults: int
    virtual_s: float
    failed: tuple[tuple[int, str], ...]


def main() -> int:
    """Run what the command line says; 0: all held, 1: something did not."""
    options = _options()
    began = time.perf_counter()
    if options.seed is not None and options.runs is None and options.minutes is None:
        return _one(options.seed, options)
    first = 1 if options.seed is None else options.seed
    total: list[float] = [0, 0, 0, 0, 0, 0.0]
    failed: list[tuple[int, str]] = []
    for done in _all(first, options, began):
        total = [sum(pair) for pair in zip(total, done[:-1], strict=True)]
        failed += done.failed
        if sys.stderr.isatty():
            took = time.perf_counter() - began
            print(f"\r{total[0]} runs, {total[0] * 60 / took:.0f} a minute", end="", file=sys.stderr)
        if failed:
            break
    took = time.perf_counter() - began
    runs, records, units, lives, struck, virtual_s = total
    print(
        f"\n{runs} runs in {took:.1f} s ({runs * 60 / took:.0f} a minute): {records} records, {units}"
        f" transactions, {struck} faults, {lives} starts of workers, {virtual_s / 3600:.1f} h of their time."
    )
    for seed, why in failed[:1]:
        print(f"\nSeed {seed} failed: {why}\n")
        return _one(seed, options)
    print("Nothing lost, nothing doubled, every run as if nothing had happened.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Run the workers' own code over a played broker and database, with anything going wrong.",
        epilog="With --seed alone, that run is done and its steps are shown. Exit code 1: something failed.",
    )
    parser.add_argument("--seed", type=int, help="the run to repeat; with --runs or --minutes the first")
    parser.add_argument("--runs", type=int, help="how many runs (1000 unless --minutes is given)")
    parser.add_argument("--minutes", type=float, help="go on for so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (all cores)")
    parser.add_argument("--broken", choices=BREAKAGES, default="", help="break the build, and see it found")
    parser.add_argument(
        "--late-offsets", type=float, default=LATE_OFFSETS_S, help="seconds until committed offsets show"
    )
    parser.add_argument("--faults", help="of a seed, only these faults: 0,3 (as a failure prints them)")
    parser.add_argument("--inputs", help="of a seed, only these records")
    return parser.parse_args()


def _all(first: int, options: argparse.Namespace, began: float) -> Iterator[Done]:
    runs = options.runs or (1000 if options.minutes is None else sys.maxsize)

    def tasks() -> Iterator[Task]:
        for at in range(0, runs, CHUNK):
            if options.minutes is not None and time.perf_counter() - began > options.minutes * 60:
                return
            yield Task(first + at, min(CHUNK, runs - at), options.broken, options.late_offsets)

    if options.jobs == 1:
        yield from map(_do, tasks())
        return
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        # Not `imap`, which takes all tasks at once: of those by the clock there is no end.
        under_way = []
        for task in tasks():
            under_way.append(pool.apply_async(_do, (task,)))
            if len(under_way) == 2 * options.jobs:
                yield under_way.pop(0).get()
        for result in under_way:
            yield result.get()


def _do(task: Task) -> Done:
    gc.freeze()
    gc.disable()  # a run leaves few cycles; they are collected between chunks
    outcomes = [
        (seed, _run(replace(plan_of(seed), late_offsets_s=task.late_offsets), task.broken))
        for seed in range(task.first, task.first + task.seeds)
    ]
    done = Done(
        len(outcomes),
        sum(len(outcome.plan.inputs) for _, outcome in outcomes),
        sum(outcome.commits for _, outcome in outcomes),
        sum(outcome.lives for _, outcome in outcomes),
        sum(len(outcome.plan.faults) for _, outcome in outcomes),
        sum(outcome.virtual_s for _, outcome in outcomes),
        tuple((seed, _said(outcome)) for seed, outcome in outcomes if outcome.broken is not None),
    )
    outcomes.clear()
    gc.collect()
    return done


def _run(plan: Plan, broken: str) -> Outcome:
    breakage: Callable[[], AbstractContextManager[None]] = BREAKAGES[broken] if broken else nullcontext
    return run(plan, breakage, judge)


def _one(seed: int, options: argparse.Namespace) -> int:
    """Repeat a run; if it fails, show what little of it is needed to fail."""
    plan = replace(plan_of(seed), late_offsets_s=options.late_offsets)
    if options.faults is not None or options.inputs is not None:
        faults = _places(options.faults, len(plan.faults))
        inputs = _places(options.inputs, len(plan.inputs))
        plan = part_of(plan, faults, inputs)
        outcome = _run(plan, options.broken)
    else:
        outcome = _run(plan, options.broken)
        if outcome.broken is not None:
            shrunk = Shrunk(plan, lambda part: _run(part, options.broken)).shrink()
            plan, outcome = shrunk.plan, shrunk.outcome
            again = [f"python -m tests.simulation --seed {seed}"]
            again += [f"--faults {_listed(shrunk.faults)} --inputs {_listed(shrunk.inputs)}"]
            again += [f"--broken '{options.broken}'"] if options.broken else []
            again += (
                [f"--late-offsets {options.late_offsets}"] if options.late_offsets != LATE_OFFSETS_S else []
            )
            print(f"It takes {len(plan.faults)} faults and {len(plan.inputs)} records. To repeat just that:")
            print(f"  {' '.join(again)}\n")
    print("Records:", *plan.inputs, sep="\n  ")
    print("Faults:", *plan.faults, sep="\n  ")
    steps = outcome.trace.steps
    if outcome.broken is not None and len(steps) > SHOWN_STEPS:
        print(f"The last {SHOWN_STEPS} of {len(steps)} steps:")
        steps = steps[-SHOWN_STEPS:]
    print(*steps, sep="\n")
    print(f"\n{_said(outcome)}" if outcome.broken else "\nAll held.")
    return 1 if outcome.broken else 0


def _places(text: str | None, count: int) -> list[int]:
    if text is None:
        return list(range(count))
    return [int(place) for place in text.split(",") if place]


def _listed(places: list[int]) -> str:
    return ",".join(map(str, places)) or "''"


def _said(outcome: Outcome) -> str:
    return f"{type(outcome.broken).__name__}: {outcome.broken}"


if __name__ == "__main__":
    sys.exit(main())
