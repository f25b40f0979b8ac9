"""The demo keeps its promise whatever of it is killed: servers and workers, while orders and lives go on."""

import os
import signal

import pytest

from deploy.demo.result import Options, Snapshot
from deploy.demo.run import Demo
from deploy.local.stack import Stack

OPTIONS = Options(orders=600, stores=4, rate=150.0, lives=10.0)
BETWEEN = 120
"""So many more orders are published before the next part is killed."""


class Killer:
    """Kills the parts one after the other, with SIGKILL, while orders come in."""

    def __init__(self, *parts: str) -> None:
        self.left = list(parts)
        self._due = BETWEEN

    def look(self, now: Snapshot) -> None:
        if now.phase != "orders come in" or not self.left or now.published < self._due:
            return
        if (pid := now.processes.get(self.left[0])) is not None:
            os.kill(pid, signal.SIGKILL)
            del self.left[0]
            self._due += BETWEEN


@pytest.mark.long
async def test_every_part_of_the_demo_may_be_killed_and_the_sum_is_the_same(own_stack: Stack) -> None:
    demo = Demo(own_stack, OPTIONS)
    killer = Killer("stock", "postgres", "history", "kafka")
    try:
        await demo.start()
        result = await demo.run(killer.look)
    finally:
        await demo.stop()
    assert killer.left == []
    assert {"stock", "postgres", "history", "kafka"} <= set(result.restarts)
    assert result.findings == ()
    assert [check.name for check in (*result.cases, *result.lives) if not check.ok] == []
    assert result.kept
    assert (result.sales, result.dead_letters) == (result.orders, 1)
