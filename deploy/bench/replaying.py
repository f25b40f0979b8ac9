"""A replay of all history, as `tillstream replay run` does it, with a clock beside it."""

import getpass
import time

from deploy.bench.clock import Teller
from deploy.bench.report import Figure
from deploy.bench.site import Site
from storage.operations.audit import Order
from storage.replay.scope import Scope
from streams.replay.desk import sitting
from streams.replay.run import start


async def replay(site: Site, orders: int, tell: Teller) -> Figure:
    """Write the shadow of a history of so many orders; the program that measures does it itself."""
    order = Order("replay run", getpass.getuser(), "a benchmark", {})

    def told(done: int, due: int) -> None:
        tell.at(orders * done // max(1, due))

    tell.begin("a replay writes the history once more", orders)
    async with sitting(site.settings) as desk:
        begun, used, before = time.monotonic(), time.process_time(), site.cpu_s()
        await start(desk, Scope(), order, tell=told)
        seconds, own_s, servers = time.monotonic() - begun, time.process_time() - used, site.cpu_s()
    cpu_s = {"replay": own_s} | {name: servers[name] - before[name] for name in servers}
    return Figure(
        value=round(orders / seconds, 1),
        count=orders,
        seconds=round(seconds, 2),
        cpu_us={name: round(took / orders * 1e6, 1) for name, took in cpu_s.items()},
    )
