"""Workers that take over from each other, while orders come in."""

import signal

import pytest

from streams.runtime.errors import ExitCode
from tests.chaos.load import Load
from tests.system.installation import PARTITIONS, SHORT_SESSION, Installation
from tests.system.process import WorkerProcess


def owned(*workers: WorkerProcess) -> list[int]:
    """Return the partitions that these workers were given last."""
    found = [worker.assignments[-1] for worker in workers if worker.assignments]
    return sorted(int(number) for numbers in found for number in numbers.split(", ") if number)


ALL = list(range(PARTITIONS))


@pytest.mark.long
async def test_two_workers_share_the_stores_and_one_may_die_as_another_joins(shop: Installation) -> None:
    shop.start("history")
    shop.kept_alive = True
    first = shop.start("stock", 0, **SHORT_SESSION)
    async with Load.on(shop) as load:
        async with load.running():
            await load.decided_more()
            second = shop.start("stock", 1, **SHORT_SESSION)
            await shop.until(
                "two workers share", lambda: bool(second.assignments) and owned(first, second) == ALL
            )
            await load.decided_more()
            first.kill()
            third = shop.start("stock", 2, **SHORT_SESSION)
            await shop.until(
                "the others share", lambda: bool(third.assignments) and owned(second, third) == ALL
            )
            await load.decided_more()
        await load.assert_kept()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["stock", "history"])
async def test_a_worker_that_wakes_up_after_it_was_replaced_changes_nothing(
    shop: Installation, kind: str
) -> None:
    shop.start("history" if kind == "stock" else "stock")
    # It may wake up in time to be the first to write, and then the other one is fenced and starts again.
    shop.kept_alive = True
    zombie = shop.start(kind, 0, **SHORT_SESSION)
    async with Load.on(shop) as load:
        async with load.running():
            await load.more_done(kind)
            zombie.wanted = False
            zombie.signal(signal.SIGSTOP)
            heir = shop.start(kind, 1, **SHORT_SESSION)
            await shop.until("the heir has all partitions", lambda: owned(heir) == ALL)
            await load.more_done(kind)
            before = len(zombie.assignments)
            zombie.signal(signal.SIGCONT)
            # It is fenced and ends, or it learns of it before it writes, and joins the group anew.
            await shop.until(
                "the zombie has found out",
                lambda: zombie.code is not None or len(zombie.assignments) > before,
            )
            assert zombie.code in (None, ExitCode.CRASHED)
            await load.more_done(kind)
        await load.assert_kept()
