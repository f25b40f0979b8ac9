"""The report of payments: what came in and what went back, by processor or tender, and day."""

from datetime import date
from typing import Any

from storage.lookups.answer import Answer, money
from storage.lookups.time_zones import known_time_zone
from storage.queries import query


class TakingsShown(Answer, frozen=True, kw_only=True):
    """Money in and out under one name, in one currency.

    `manual` is the part of `amount_out` that the merchant must give back at the processor (DOMAIN S11);
    `count` is how many payments and refunds these are.
    """

    name: str
    currency: str
    amount_in: str
    amount_out: str
    net: str
    manual: str
    count: int


class DayShown(TakingsShown, frozen=True, kw_only=True):
    """The same of one day and one kind of payment."""

    day: date
    kind: str


class PaymentReport(Answer, frozen=True, kw_only=True, rename={"first_day": "from", "last_day": "to"}):
    """The report; both days are included, and are those of the time zone."""

    store_id: str
    first_day: date
    last_day: date
    time_zone: str
    days: list[DayShown]
    totals: list[TakingsShown]


async def report_payments(
    connection: Any, *, store_id: str, first_day: date, last_day: date, time_zone: str = "UTC"
) -> PaymentReport:
    """Return what the store was paid and gave back; `payment_report` has the same numbers, by days of UTC.

    Refunds that were voided do not count. What only the online store says that it gave back has no tender
    and is not in it. Raises StorageError when there is no such time zone.
    """
    zone = await known_time_zone(connection, time_zone)
    days: list[DayShown] = []
    totals: list[TakingsShown] = []
    names = TakingsShown.__struct_fields__
    for day, name, kind, currency, *amounts, count in await connection.fetch(
        query("lookups.report_payments"), store_id, first_day, last_day, zone
    ):
        values = dict(zip(names, (name, currency, *map(money, amounts), count), strict=True))
        if day is None:
            totals.append(TakingsShown(**values))
        else:
            days.append(DayShown(day=day, kind=kind, **values))
    return PaymentReport(
        store_id=store_id,
        first_day=first_day,
        last_day=last_day,
        time_zone=zone,
        days=days,
        totals=totals,
    )
