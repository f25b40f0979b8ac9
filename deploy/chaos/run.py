"""The rounds: load, faults, rest, and the checks after each."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from deploy.chaos.faults import Faults
from deploy.chaos.plan import Fault, Kind, Round
from deploy.chaos.result import Options, Result, Spread
from deploy.chaos.site import Site
from deploy.chaos.takeover import TakeOvers
from deploy.demo.load import Load
from deploy.verify import tables
from deploy.verify.calm import Calm
from deploy.verify.findings import Findings
from deploy.verify.ledger import Ledger
from deploy.verify.told import counted
from deploy.verify.verdict import Verdict, judge

LOOK_EVERY_S = 0.1
STALLED_AFTER_S = 120.0
"""When nothing has been decided or written for so long, the run ends, and what is not there is lost."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is. `under_way` are the faults of this moment."""

    round: int
    rounds: int
    phase: str
    published: int
    decided: int
    written: int
    faults: int
    under_way: tuple[str, ...]


Show = Callable[[Progress], None]


@asynccontextmanager
async def _ending(tasks: Sequence[asyncio.Task[None]]) -> AsyncIterator[None]:
    """Wait for these tasks at the end; when that, or one of them, fails, the others do not go on."""
    try:
        yield
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Chaos:
    """One run at a site, over a plan of as many rounds as are to be played."""

    def __init__(
        self, site: Site, plan: Sequence[Round], options: Options, left_out: Mapping[Kind, str]
    ) -> None:
        self.result: Result | None = None
        self._site = site
        self._plan = plan
        self._options = options
        self._left_out = left_out
        self._findings = Findings()
        self._begun = time.monotonic()
        per_outlet = max(20, len(plan) * options.orders_per_round // options.stores // 12)
        self._load = Load(
            site.settings, options.seed, stores=options.stores, per_outlet=per_outlet, lives=options.lives
        )
        self._ledger = Ledger(site.settings)
        self._calm = Calm(site.settings, site.history)
        self._take_overs = TakeOvers(site.settings, site.workers.values())
        self._faults = Faults(site, self._take_overs, self._findings)
        self._under_way: dict[Fault, None] = {}
        self._round = 0
        self._mark = (-1, -1)
        self._moved_at = self._begun

    async def run(self, show: Show) -> Result:
        """Play the rounds; the first one with a finding is the last. `result` is of those played so far."""
        looking = (self._ledger, self._calm, self._take_overs)
        try:
            for each in looking:
                await each.start()
            async with self._load:
                for number, faults in enumerate(self._plan, start=1):
                    self._round = number
                    verdict = await self._play(faults, show)
                    self.result = self._sum_up(verdict)
                    if not self.result.kept:
                        break
            assert self.result is not None, "a plan has rounds"
            return self.result
        finally:
            # A broker that is away cannot be told good-bye; what they were asked for is known by then.
            await asyncio.gather(*(each.stop() for each in looking), return_exceptions=True)

    async def _play(self, faults: Round, show: Show) -> Verdict:
        options, take_overs = self._options, self._take_overs
        await self._follow(
            show,
            "the workers share the stores",
            lambda: take_overs.shared("stock") and take_overs.shared("history"),
        )
        before = len(self._load.published)
        tasks = [
            asyncio.create_task(self._load.publish(options.orders_per_round, options.rate)),
            asyncio.create_task(self._bring(faults, before)),
        ]
        async with _ending(tasks):
            await self._follow(show, "orders come in", lambda: all(task.done() for task in tasks))
        await self._rest(show)
        await take_overs.give_up()
        return await self._judge()

    async def _bring(self, faults: Round, before: int) -> None:
        tasks: list[asyncio.Task[None]] = []
        async with _ending(tasks):
            for fault in faults:
                await self._load.came(before + fault.after)
                tasks.append(asyncio.create_task(self._bring_one(fault)))

    async def _bring_one(self, fault: Fault) -> None:
        self._under_way[fault] = None
        try:
            await self._faults.bring(fault)
        finally:
            del self._under_way[fault]

    async def _rest(self, show: Show) -> None:
        """Wait until the shops are done, and all is decided and written; or until nothing moves any more."""
        await self._follow(show, "the shops end their day", self._shops_done)
        calm = asyncio.create_task(self._calm.come(LOOK_EVERY_S))
        try:
            await self._follow(show, "the last rows are written", calm.done)
        finally:
            calm.cancel()
            await asyncio.wait([calm])

    def _shops_done(self) -> bool:
        load, ledger = self._load, self._ledger
        told = load.till.told
        return len(ledger.orders) >= len(load.published) and not told.unfinished and counted(told, ledger)

    async def _follow(self, show: Show, phase: str, done: Callable[[], bool]) -> None:
        looked_at = 0.0
        self._moved_at = time.monotonic()
        while not done():
            self._site.keeper.check()
            self._load.till.check()
            await self._ledger.read()
            now = time.monotonic()
            if now - looked_at < LOOK_EVERY_S * 5:
                continue
            looked_at = now
            await self._site.history.look()
            self._show(show, phase)
            if (mark := (self._ledger.records, self._site.history.standing.sales)) != self._mark:
                self._mark, self._moved_at = mark, now
            elif now - self._moved_at > STALLED_AFTER_S:
                return

    def _show(self, show: Show, phase: str) -> None:
        show(
            Progress(
                round=self._round,
                rounds=len(self._plan),
                phase=phase,
                published=len(self._load.published),
                decided=len(self._ledger.orders),
                written=self._site.history.standing.sales,
                faults=sum(self._faults.done.values()),
                under_way=tuple(map(str, self._under_way)),
            )
        )

    async def _judge(self) -> Verdict:
        await self._ledger.read_to_end()
        standing = await tables.read(self._site.settings)
        connection = await self._site.history.connection()
        return await judge(
            tuple(self._load.published),
            self._ledger,
            standing,
            connection,
            self._load.till.told,
            self._findings,
        )

    def _sum_up(self, verdict: Verdict) -> Result:
        ends: dict[str, int] = {}
        for worker in self._site.workers.values():
            for code, count in worker.ends.items():
                ends[str(code)] = ends.get(str(code), 0) + count
        return Result.of(
            verdict,
            seed=self._options.seed,
            rounds=self._round,
            faults=dict(self._faults.done),
            left_out=dict(self._left_out),
            records=self._ledger.records,
            take_over_ms=Spread.of(self._take_overs.by_others),
            back_ms=Spread.of(self._take_overs.by_itself),
            worker_ends=ends,
            seconds=round(time.monotonic() - self._begun, 1),
        )
