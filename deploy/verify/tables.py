"""Whether the stock worker's own tables, as a restart would find them, are what its events say."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from deploy.verify.findings import Findings
from deploy.verify.ledger import Ledger, LevelKey
from streams.domain.state import Stock
from streams.domain.tables import SALES, SEPARATOR, STOCK
from streams.rebuild.changelogs import look_at, read_tables
from streams.settings import Settings
from topics.ids import ProductId, SaleId, StoreId

Standing = tuple[Decimal, Decimal, Decimal, int]
"""On hand, allocated, awaiting a count; and how many movements made it so."""


class _Row(msgspec.Struct, frozen=True, gc=False):
    """What is compared of a sale's row: it is the event whole."""

    sale_id: SaleId
    event_id: str
    revision: int


class Tables(msgspec.Struct, frozen=True):
    """The levels of the stock table; of each sale the event that its row is."""

    levels: Mapping[LevelKey, Standing]
    sales: Mapping[SaleId, _Row]


async def read(settings: Settings) -> Tables:
    """Read the changelogs, committed records only."""
    found = await read_tables(settings, await look_at(settings), (STOCK, SALES))
    levels: dict[LevelKey, Standing] = {}
    sales: dict[SaleId, _Row] = {}
    stock, sale = msgspec.json.Decoder(Stock).decode, msgspec.json.Decoder(_Row).decode
    for (table, _), changelog in found.items():
        for key, value in changelog.rows.items():
            if table == STOCK:
                store_id, _, product_id = key.decode().partition(SEPARATOR)
                for outlet_id, level in stock(value).outlets.items():
                    place = (StoreId(store_id), ProductId(product_id), outlet_id)
                    levels[place] = (level.on_hand, level.allocated, level.awaiting, level.revision)
            else:
                row = sale(value)
                sales[row.sale_id] = row
    return Tables(levels, sales)


def check(tables: Tables, ledger: Ledger, findings: Findings) -> None:
    """Hold each level against the sum of its movements, and each sale against its last event."""
    due = {
        key: (level.on_hand, level.allocated, level.awaiting, level.revision)
        for key, level in ledger.levels.items()
        if level.revision
    }
    nothing: Standing = (Decimal(0), Decimal(0), Decimal(0), 0)
    for key in due.keys() | tables.levels.keys():
        found, summed = tables.levels.get(key, nothing), due.get(key, nothing)
        if found != summed:
            findings.add(
                "tables_unlike_movements",
                f"{'/'.join(key)}: the table has {_told(found)}; its movements {_told(summed)}",
            )
    for sale_id in tables.sales.keys() | ledger.sales.keys():
        row, event = tables.sales.get(sale_id), ledger.sales.get(sale_id)
        if row is None or event is None or row.event_id != event.event_id:
            has = "no row" if row is None else f"revision {row.revision}"
            says = "none" if event is None else f"revision {event.revision}"
            findings.add(
                "tables_unlike_movements", f"sale {sale_id}: the table has {has}, the last event is {says}"
            )


def _told(standing: Standing) -> str:
    on_hand, allocated, awaiting, revision = standing
    return f"{on_hand} on hand, {allocated} allocated, {awaiting} awaiting a count after {revision} movements"
