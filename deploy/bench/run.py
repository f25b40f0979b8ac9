"""The measurements, one after the other, each at a site of its own."""

from collections.abc import Awaitable, Callable

from deploy.bench.backlogs import apart, end_to_end
from deploy.bench.clock import Teller
from deploy.bench.options import Options, Part
from deploy.bench.recovery import recovery
from deploy.bench.report import Machine, Measured, Report
from deploy.bench.steady import latency
from deploy.local.stack import Stack

Measure = Callable[[Stack, Options, Teller], Awaitable[list[Measured]]]

STEPS: tuple[tuple[frozenset[Part], Measure], ...] = (
    (frozenset({Part.STOCK, Part.HISTORY, Part.REPLAY}), apart),
    (frozenset({Part.END_TO_END}), end_to_end),
    (frozenset({Part.LATENCY}), latency),
    (frozenset({Part.RECOVERY}), recovery),
)


async def measure(stack: Stack, options: Options, tell: Teller) -> Report:
    """Measure what the options say, and the references beside it.

    Raises BenchError when a measurement does not come to its end.
    """
    machine = Machine.this()
    measured: list[Measured] = []
    for parts, step in STEPS:
        if parts & set(options.parts):
            measured += await step(stack, options, tell)
    return Report.of(measured, machine)
