"""The comparison of what was published with what came out."""

from collections.abc import Sequence
from typing import Any

from deploy.verify import balance, rows, sequence, tables, told
from deploy.verify.findings import KINDS, Findings, Wrongs
from deploy.verify.ledger import Ledger
from deploy.verify.rows import OrderKey
from deploy.verify.tables import Tables
from deploy.verify.told import Told

NOTHING_TOLD = Told()


class Verdict(Wrongs, frozen=True, kw_only=True):
    """What the checks found, how much there is of everything, and the first findings in words."""

    orders: int
    sales: int
    fulfillments: int
    returns: int
    refunds: int
    dead_letters: int
    findings: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return self.none


async def judge(
    published: Sequence[OrderKey],
    ledger: Ledger,
    standing: Tables,
    connection: Any,
    pos: Told = NOTHING_TOLD,
    findings: Findings | None = None,
) -> Verdict:
    """Compare; the ledger must have been read to the end, and Postgres have caught up.

    `published` are the orders in the order in which they were published first, `standing` are the worker's
    tables, `pos` is what the point of sale told. `connection` is an asyncpg connection that may read the
    schema `tillstream`. `findings` are those that were made before, on the way.
    """
    findings = findings or Findings()
    for store_id, order_id in set(published) - ledger.orders.keys():
        findings.add("missing", f"{store_id}/{order_id} has no sale")
    sequence.check(published, ledger, findings)
    balance.check(ledger, findings)
    told.check(pos, ledger, findings)
    tables.check(standing, ledger, findings)
    counts = await rows.check(published, ledger, connection, findings)
    return Verdict(
        orders=len(published),
        sales=counts.sales,
        fulfillments=counts.fulfillments,
        returns=counts.returns,
        refunds=counts.refunds,
        dead_letters=counts.dead_letters,
        findings=tuple(findings.texts),
        **{kind: findings.counts[kind] for kind in KINDS},
    )
