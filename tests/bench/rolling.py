"""How long orders wait while workers restart one by one: `python -m tests.bench.rolling [ORDERS_PER_S]`.

Two workers of each kind, orders of many stores all the time; each worker is stopped as a supervisor stops
it, and started again at once, the stock workers first. Prints how long orders waited from their publication
to their decision and to their row in Postgres, for orders published while no worker was restarted, and for
those published while one was.
"""

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.stack import Stack
from tests.system.cases import LINK
from tests.system.installation import Installation
from tests.system.payloads import count, order
from tests.system.process import WorkerProcess

STORES = [f"rolling-{number}" for number in range(32)]
CALM_S = 10.0
"""Before the first restart, and after each."""

_WAITS = """
SELECT count(*),
       percentile_cont(ARRAY[0.5, 0.99, 1])
           WITHIN GROUP (ORDER BY extract(epoch FROM processed_at - received_at)),
       percentile_cont(ARRAY[0.5, 0.99, 1])
           WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - received_at))
FROM sales
WHERE EXISTS (
    SELECT FROM unnest($1::timestamptz[], $2::timestamptz[]) AS restart (begun, ended)
    WHERE received_at BETWEEN restart.begun - interval '1 s' AND restart.ended
) = $3
"""


async def main(orders_per_s: float) -> None:
    """Run it on a stack of its own, and print the waits."""
    with tempfile.TemporaryDirectory() as folder, Stack.ephemeral() as stack:
        stack.up()
        async with Installation.on(stack.endpoints, Path(folder)) as shop:
            workers = [shop.start(kind, slot) for kind in ("stock", "history") for slot in (0, 1)]
            for store in STORES:
                await shop.publish("store.links", store, LINK)
                await shop.publish("pos.inventory", store, count("SHIRT", "o1", 1_000_000))
            await shop.settled()
            await shop.until(
                "both stock workers have partitions", lambda: all(w.assignments for w in workers)
            )
            publishing = asyncio.create_task(_publish(shop, orders_per_s))
            await asyncio.sleep(CALM_S)
            restarts = []
            for worker in workers:
                restarts.append(await _restart(shop, worker))
                await asyncio.sleep(CALM_S)
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            await shop.settled()
            begun, ended = [one[0] for one in restarts], [one[1] for one in restarts]
            print(f"{orders_per_s:g} orders a second, {len(STORES)} stores, 4 partitions, 2 + 2 workers")
            for (start, end), worker in zip(restarts, workers, strict=True):
                took = (end - start).total_seconds()
                print(f"  {worker.kind} {worker.slot}: {took:.1f} s from its stop to its next assignment")
            async with shop.connected() as connection:
                for restarting in (False, True):
                    orders, decided, recorded = await connection.fetchrow(_WAITS, begun, ended, restarting)
                    print("while one restarts" if restarting else "else", f"({orders} orders)")
                    for what, waits in (("decided", decided), ("in Postgres", recorded)):
                        p50, p99, most = (float(wait) for wait in waits)
                        print(f"  {what:<11}  p50 {p50:6.3f} s   p99 {p99:6.3f} s   longest {most:6.3f} s")


async def _publish(shop: Installation, orders_per_s: float) -> None:
    number = 0
    begun = time.monotonic()
    while True:
        number += 1
        await asyncio.sleep(max(0.0, begun + number / orders_per_s - time.monotonic()))
        await shop.publish("ecom.orders", STORES[number % len(STORES)], order(f"R{number}", ("SHIRT", 1)))


async def _restart(shop: Installation, worker: WorkerProcess) -> tuple[datetime, datetime]:
    before = len(worker.assignments)
    begun = datetime.now(UTC)
    await worker.stop()
    worker.start()
    await shop.until("it has partitions again", lambda: len(worker.assignments) > before)
    return begun, datetime.now(UTC)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 50.0))
