"""What was measured, each beside what it is compared with."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec

SERVERS = frozenset({"kafka", "postgres"})
"""Processes that are not of the program that is measured."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`value` in the measurement's unit, over `count` orders (or rows) in `seconds`.

    `cpu_us` is what each process took of CPU for one of them, in microseconds. On a machine that others use
    too it says more than a rate.
    """

    value: float
    count: int
    seconds: float
    cpu_us: Mapping[str, float] = {}

    @property
    def own_cpu_us(self) -> float:
        """CPU of the program itself, without the servers'."""
        return sum(used for name, used in self.cpu_us.items() if name not in SERVERS)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement; `beside` is the same done by each reference, in the same run."""

    name: str
    unit: str
    figure: Figure
    beside: Mapping[str, Figure] = {}


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Tillstream over a reference: these travel between machines, the figures do not.

    `value` of the figures, `own_cpu` of the CPU that the program itself takes for one order or row.
    """

    name: str
    to: str
    value: float
    own_cpu: float | None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran. `load` is how many other processes wanted a core when it began: 0 on an idle machine."""

    cpus: int
    processor: str
    python: str
    load: float

    @classmethod
    def this(cls) -> Self:
        return cls(
            cpus=os.cpu_count() or 1,
            processor=_processor(),
            python=platform.python_version(),
            load=round(os.getloadavg()[0], 1),
        )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; outside a source checkout there are no references, and so no ratios."""

    ratios: tuple[Ratio, ...]
    measured: tuple[Measured, ...]
    machine: Machine

    @classmethod
    def of(cls, measured: Sequence[Measured], machine: Machine) -> Self:
        ratios = tuple(ratio for one in measured for ratio in _ratios(one))
        return cls(ratios=ratios, measured=tuple(measured), machine=machine)


def _ratios(one: Measured) -> Iterator[Ratio]:
    ours = one.figure
    for to, theirs in one.beside.items():
        cpu = ours.own_cpu_us / theirs.own_cpu_us if ours.own_cpu_us and theirs.own_cpu_us else None
        yield Ratio(
            name=one.name,
            to=to,
            value=round(ours.value / theirs.value, 3),
            own_cpu=None if cpu is None else round(cpu, 3),
        )
