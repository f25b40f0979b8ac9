"""Whether a store's orders were decided in the order in which they were published."""

from collections.abc import Sequence

from deploy.verify.findings import Findings
from deploy.verify.ledger import Ledger
from deploy.verify.rows import OrderKey
from topics.ids import OrderId, StoreId


def check(published: Sequence[OrderKey], ledger: Ledger, findings: Findings) -> None:
    """Hold the first revisions of the sales, as they stand in the topic, against the order of publication."""
    place = {key: number for number, key in enumerate(published)}
    last: dict[StoreId, OrderId] = {}
    for store_id, order_id in ledger.orders:
        if (store_id, order_id) not in place:
            continue
        before = last.get(store_id)
        if before is not None and place[store_id, before] > place[store_id, order_id]:
            findings.add(
                "out_of_order", f"{store_id}/{order_id} was decided after {before}, and published before"
            )
        else:
            last[store_id] = order_id
