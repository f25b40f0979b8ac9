"""The comparison of what was published with what came out."""

from collections.abc import Collection
from typing import Any

import msgspec

from deploy.verify import balance, rows, told
from deploy.verify.findings import Findings
from deploy.verify.ledger import Ledger
from deploy.verify.rows import OrderKey
from deploy.verify.told import Told

NOTHING_TOLD = Told()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found; `missing` and what follows it are 0 when the promise was kept.

    `missing`: published orders without a sale, returns that were told and are in no sale, and events without
    their row. `duplicates`: events, sales or returns that are there twice, and rows that no event made.
    `oversold`: pieces promised beyond a level without the backordered flag. `unequal`: things that two places
    tell differently: a level and its movements, a sale and its fulfilments, refunds and movements, an event
    and its row, a level and the last count. `gaps`: revisions that do not follow the one before.
    `lives_wrong`: sales that are not what the point of sale told of them. `findings`: the first, in words.
    """

    orders: int
    sales: int
    fulfillments: int
    returns: int
    refunds: int
    dead_letters: int
    missing: int
    duplicates: int
    oversold: int
    unequal: int
    gaps: int
    lives_wrong: int
    findings: tuple[str, ...]

    @property
    def kept(self) -> bool:
        return not (
            self.missing or self.duplicates or self.oversold or self.unequal or self.gaps or self.lives_wrong
        )


async def judge(
    published: Collection[OrderKey], ledger: Ledger, connection: Any, pos: Told = NOTHING_TOLD
) -> Verdict:
    """Compare; the ledger must have been read to the end, and Postgres have caught up.

    `pos` is what the point of sale told. `connection` is an asyncpg connection that may read the schema
    `tillstream`.
    """
    findings = Findings()
    wanted = set(published)
    for store_id, order_id in wanted - ledger.orders.keys():
        findings.add("missing", f"{store_id}/{order_id} has no sale")
    balance.check(ledger, findings)
    told.check(pos, ledger, findings)
    counts = await rows.check(wanted, ledger, connection, findings)
    found = findings.counts
    return Verdict(
        orders=len(wanted),
        sales=counts.sales,
        fulfillments=counts.fulfillments,
        returns=counts.returns,
        refunds=counts.refunds,
        dead_letters=counts.dead_letters,
        missing=found["missing"],
        duplicates=found["duplicates"],
        oversold=found["oversold"],
        unequal=found["unequal"],
        gaps=found["gaps"],
        lives_wrong=found["lives"],
        findings=tuple(findings.texts),
    )
