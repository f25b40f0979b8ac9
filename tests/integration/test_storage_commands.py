"""The commands that ask the history, on a real Postgres: what they print, and how they fail."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from storage import schema
from storage.history import History
from streams.cli import customers, db, dlq, exceptions, fulfillments, payments, refunds, sales, stock
from streams.cli.history import point
from tests.integration.storage_log import (
    STORE,
    Log,
    attention,
    came_back,
    customer,
    fulfillment,
    line,
    moved,
    refund,
    sale,
    write_all,
)
from topics import ids
from topics.fulfillments import FulfillmentLine
from topics.ids import CustomerId, LineId, OrderId, OutletId, PosSaleId, ProductId, RefundId
from topics.sales import Sale, SaleCustomer, SaleFulfillment, SaleFulfillmentLine, SaleRefund

Run = Callable[..., Result]

# In Auckland it is the day after.
BACK_AT = datetime(2026, 3, 4, 20, 0, tzinfo=UTC)


def _brought_back() -> Sale:
    return sale(
        "1003",
        state="closed",
        pos_sale_id=PosSaleId("s-1003"),
        placed_at=datetime(2026, 2, 2, 12, 0, tzinfo=UTC),
        payments=(),
        refunded=Decimal("24.90"),
        customer=SaleCustomer(customer_id=CustomerId("c-3"), email=None, name="Ada Quill"),
        lines=[line(quantity=Decimal(2), fulfilled=Decimal(2), returned=Decimal(2), allocations=())],
        returns=(came_back(1, 2), came_back(2, None), came_back(3, 9, state="refused", detail="7 too many")),
        refunds=(
            SaleRefund(
                refund_id=RefundId("5f0c1c1e-7d3a-5b0e-9a53-0d7d5a1f4c11"),
                return_id=PosSaleId("r-1"),
                method="Stripe",
                kind="integrated",
                amount=Decimal("24.90"),
                reversal="manual",
                processor="Stripe",
            ),
        ),
    )


@pytest.fixture(scope="module")
async def history_of_a_day(database: str) -> AsyncIterator[str]:
    """A paid order of one and a half shoes at Auckland, a voided one, an exception, a dead letter.

    Two days later another, of a month before, comes back: half of its money must be given back at Stripe.
    """
    connection = await asyncpg.connect(database)
    await schema.migrate_all(connection)
    await connection.close()
    sale_id = ids.sale_id(STORE, OrderId("1001"))
    at_auckland = SaleFulfillment(
        fulfillment_id=ids.fulfillment_id(sale_id, OutletId("auckland"), "DISPATCH"),
        outlet_id=OutletId("auckland"),
        type="DISPATCH",
        state="new",
        revision=1,
        lines=(
            SaleFulfillmentLine(
                line_id=LineId("1"), sku="SHOE-1", product_id=ProductId("p-1"), quantity=Decimal("1.50")
            ),
        ),
    )
    log = Log()
    log.add("sales", sale("1001", lines=[line(quantity=Decimal("1.50"))], fulfillments=(at_auckland,)))
    log.add("sales", sale("1002", state="voided"))
    log.add("fulfillments", fulfillment("1001"))
    log.add("fulfillments", fulfillment("1002", state="cancelled"))
    log.add("stock.movements", moved(1))
    log.add("customers", customer(1))
    log.add("exceptions", attention("1001"))
    log.add("exceptions", attention("1002"))
    log.add("exceptions", attention("1002", revision=2, is_open=False))
    log.add("sales", b"{}")
    log.add("sales", _brought_back())
    log.add(
        "fulfillments",
        fulfillment(
            "1003",
            state="fulfilled",
            lines=(
                FulfillmentLine(
                    line_id=LineId("1"),
                    sku="SHOE-1",
                    product_id=ProductId("p-1"),
                    quantity=Decimal(2),
                    picked=Decimal(2),
                    packed=Decimal(2),
                    fulfilled=Decimal(2),
                ),
            ),
        ),
    )
    given: dict[str, Any] = {"amount": Decimal("12.45"), "event_time": BACK_AT}
    log.add("refunds", refund("1003", payment="a", **given))
    log.add(
        "refunds",
        refund("1003", payment="b", method="Cash", kind="pos", processor=None, reversal="processed", **given),
    )
    log.add("refunds", refund("1003", payment="c", revision=2, state="voided", **given))
    log.add("customers", customer(2, email="ada@example.com"))
    log.add("customers", customer(3, email="ada@example.com", replaced_by=CustomerId("c-2")))
    log.add(
        "stock.movements",
        moved(
            2,
            kind="returned",
            quantity=Decimal(2),
            allocated=Decimal(0),
            allocated_after=Decimal(1),
        ),
    )
    history = History({"dsn": database}, consumer="history")
    await write_all(history, log)
    await history.close()
    yield database


@pytest.fixture
def run(history_of_a_day: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", history_of_a_day)
    monkeypatch.setenv("TILLSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    app = typer.Typer()
    for module in (sales, fulfillments, payments, refunds, stock, customers, exceptions, dlq, db):
        module.register(app)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return invoke


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_float=Decimal)


def test_a_sale_is_shown_with_money_as_text_and_quantities_as_numbers(run: Run) -> None:
    shown = answer(run("sales", "show", "1001", "--store", STORE, "--json"))

    assert shown["sale_id"] == ids.sale_id(STORE, OrderId("1001"))
    assert (shown["order_id"], shown["store_id"], shown["revision"], shown["state"]) == (
        "1001",
        STORE,
        1,
        "pending",
    )
    assert (shown["attributes"], shown["paid"], shown["currency"], shown["total"]) == (
        ["delivery"], True, "NZD", "24.90",
    )  # fmt: skip
    assert {"email": "ada@example.com", "name": "Ada Quill"}.items() <= shown["customer"].items()
    assert [(payment["name"], payment["amount"]) for payment in shown["payments"]] == [("Stripe", "24.90")]
    (the_line,) = shown["lines"]
    assert (the_line["line_id"], the_line["sku"], the_line["quantity"], the_line["price"]) == (
        "1", "SHOE-1", Decimal("1.5"), "19.90",
    )  # fmt: skip
    assert the_line["allocations"] == [{"outlet_id": "auckland", "quantity": 1, "taken": 0}]
    assert the_line["backordered"] == 0
    (the_fulfillment,) = shown["fulfillments"]
    assert (the_fulfillment["outlet_id"], the_fulfillment["type"], the_fulfillment["state"]) == (
        "auckland", "DISPATCH", "new",
    )  # fmt: skip
    assert [piece["quantity"] for piece in the_fulfillment["lines"]] == [Decimal("1.5")]


def test_a_sale_is_shown_to_people_too(run: Run) -> None:
    shown = run("sales", "show", "1001", "--store", STORE)

    assert shown.exit_code == 0
    assert "Ada Quill <ada@example.com>" in shown.stdout
    assert "auckland x 1" in shown.stdout


def test_an_order_without_a_sale_is_an_error_that_says_where_to_look(run: Run) -> None:
    shown = run("sales", "show", "999", "--store", STORE, "--json")

    assert shown.exit_code == 1
    assert shown.stdout == ""
    assert "no sale of an order '999'" in shown.stderr
    assert "exceptions list" in shown.stderr


@pytest.mark.parametrize(
    ("options", "orders"),
    [
        ([], ["1001", "1002", "1003"]),
        (["--state", "voided"], ["1002"]),
        (["--store", "elsewhere"], []),
        (["--customer", "c-1", "--limit", "1"], ["1001"]),
        (["--customer", "c-2"], ["1003"]),
        (["--customer", "c-3"], ["1003"]),
        (["--customer", " BUYER1@example.com", "--store", STORE], ["1001", "1002"]),
        (["--customer", "ada@example.com"], ["1003"]),
        (["--customer", "nobody@example.com"], []),
        (["--since", "2026-03-01"], ["1001", "1002"]),
        (["--since", "2026-03-03"], []),
    ],
)
def test_sales_are_listed_by_state_store_customer_and_time(
    run: Run, options: list[str], orders: list[str]
) -> None:
    assert [one["order_id"] for one in answer(run("sales", "list", *options, "--json"))] == orders


def test_open_fulfillments_are_listed_for_an_outlet(run: Run) -> None:
    listed = answer(run("fulfillments", "list", "--outlet", "auckland", "--state", "open", "--json"))

    assert [(one["order_id"], one["state"], one["lines"][0]["quantity"]) for one in listed] == [
        ("1001", "new", 1)
    ]


def test_a_fulfillment_is_listed_with_what_is_picked_packed_and_fulfilled(run: Run) -> None:
    (listed,) = answer(run("fulfillments", "list", "--order", "1003", "--json"))

    assert {"quantity": 2, "picked": 2, "packed": 2, "fulfilled": 2}.items() <= listed["lines"][0].items()
    assert (
        "SHOE-1 x 2 (picked 2, packed 2, fulfilled 2)"
        in run("fulfillments", "list", "--order", "1003").stdout
    )


def test_a_sale_is_shown_with_what_came_back_and_what_was_given_back(run: Run) -> None:
    shown = answer(run("sales", "show", "1003", "--store", STORE, "--json"))

    assert (shown["pos_sale_id"], shown["refunded"], shown["lines"][0]["returned"]) == ("s-1003", "24.90", 2)
    assert [
        (one["return_id"], one["state"], [piece["quantity"] for piece in one["lines"]], one["detail"])
        for one in shown["returns"]
    ] == [
        ("r-1", "returned", [2], None),
        ("r-2", "returned", [], None),
        ("r-3", "refused", [9], "7 too many"),
    ]
    (given,) = shown["refunds"]
    assert {
        "return_id": "r-1",
        "state": "made",
        "method": "Stripe",
        "amount": "24.90",
        "reversal": "manual",
    }.items() <= given.items()


def test_what_came_back_is_shown_to_people_too(run: Run) -> None:
    shown = run("sales", "show", "1003", "--store", STORE).stdout

    assert "24.90 NZD, paid, 24.90 given back" in shown
    assert "24.90 Stripe (manual, to be given back at Stripe), return r-1" in shown
    assert "money only" in shown
    assert "7 too many" in shown
    assert "not acknowledged" not in shown
    assert "not acknowledged" in run("sales", "show", "1001", "--store", STORE).stdout


@pytest.mark.parametrize(
    ("options", "methods"),
    [
        ([], ["Cash", "Stripe"]),
        (["--all"], ["Cash", "Stripe", "Stripe"]),
        (["--reversal", "manual"], ["Stripe"]),
        (["--order", "1003", "--store", STORE], ["Cash", "Stripe"]),
        (["--order", "1001"], []),
        (["--from", "2026-03-04", "--to", "2026-03-04"], ["Cash", "Stripe"]),
        (["--from", "2026-03-05"], []),
        (["--to", "2026-03-04", "--time-zone", "Pacific/Auckland"], []),
        (["--from", "2026-03-05", "--time-zone", "pacific/auckland"], ["Cash", "Stripe"]),
    ],
)
def test_refunds_are_listed_by_order_reversal_and_day(
    run: Run, options: list[str], methods: list[str]
) -> None:
    listed = answer(run("refunds", "list", *options, "--json"))

    assert sorted(one["method"] for one in listed) == methods
    assert {one["amount"] for one in listed} <= {"12.45"}


def test_payments_are_reported_by_day_and_processor_and_in_all(run: Run) -> None:
    days = ("--from", "2026-03-02", "--to", "2026-03-05")
    report = answer(run("payments", "report", "--store", STORE, *days, "--json"))

    assert (report["store_id"], report["from"], report["to"], report["time_zone"]) == (
        STORE, "2026-03-02", "2026-03-05", "UTC",
    )  # fmt: skip
    assert [
        (one["day"], one["name"], one["kind"], one["amount_in"], one["amount_out"], one["net"], one["count"])
        for one in report["days"]
    ] == [
        ("2026-03-02", "Stripe", "integrated", "49.80", "0.00", "49.80", 2),
        ("2026-03-04", "Cash", "pos", "0.00", "12.45", "-12.45", 1),
        ("2026-03-04", "Stripe", "integrated", "0.00", "12.45", "-12.45", 1),
    ]
    assert report["totals"] == [
        {
            "name": name,
            "currency": "NZD",
            "amount_in": amount_in,
            "amount_out": "12.45",
            "net": net,
            "manual": manual,
            "count": count,
        }
        for name, amount_in, net, manual, count in (
            ("Cash", "0.00", "-12.45", "0.00", 1),
            ("Stripe", "49.80", "37.35", "12.45", 3),
        )
    ]


def test_the_report_has_the_numbers_of_the_view(run: Run, history_of_a_day: str) -> None:
    names = ("day", "name", "kind", "currency", "amount_in", "amount_out", "net", "manual", "count")

    async def view() -> list[tuple[str, ...]]:
        connection = await asyncpg.connect(history_of_a_day)
        rows = await connection.fetch(
            f"SELECT {', '.join(f'{name}::text' for name in names)} FROM tillstream.payment_report"
            " WHERE store_id = $1 ORDER BY day, name",
            STORE,
        )
        await connection.close()
        return [tuple(row) for row in rows]

    days = ("--from", "2026-01-01", "--to", "2026-12-31")
    report = answer(run("payments", "report", "--store", STORE, *days, "--json"))

    rows = asyncio.run(view())
    assert rows == [tuple(str(one[name]) for name in names) for one in report["days"]]
    assert len(rows) == 3


def test_the_days_of_a_report_are_those_of_the_time_zone(run: Run) -> None:
    days = ("--from", "2026-03-05", "--to", "2026-03-05", "--time-zone", "Pacific/Auckland")
    report = answer(run("payments", "report", "--store", STORE, *days, "--json"))

    assert {(one["day"], one["name"]) for one in report["days"]} == {
        ("2026-03-05", "Cash"),
        ("2026-03-05", "Stripe"),
    }


def test_a_report_is_printed_for_people_too(run: Run) -> None:
    days = ("--from", "2026-03-01", "--to", "2026-03-31")

    report, nothing = (run("payments", "report", "--store", store, *days) for store in (STORE, "elsewhere"))

    assert "37.35" in report.stdout
    assert nothing.stdout == "No payments of store elsewhere from 2026-03-01 to 2026-03-31 (UTC).\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--from", "2026-03-32", "--to", "2026-04-01"], "2026-03-32"),
        (["--from", "2026-03-02", "--to", "2026-03-01"], "before"),
        (["--from", "2026-03-02"], "--to"),
        (["--from", "2026-03-01", "--to", "2026-03-02", "--time-zone", "UTC+3"], "no time zone 'UTC+3'"),
    ],
)
def test_days_that_are_none_are_refused_with_what_is_wrong(run: Run, options: list[str], says: str) -> None:
    report = run("payments", "report", "--store", STORE, *options)

    assert report.exit_code != 0
    assert says in report.stderr


def test_what_moved_a_level_is_shown_the_last_first(run: Run) -> None:
    movements = answer(run("stock", "movements", "SHOE-1", "--store", STORE, "--json"))

    assert [(one["revision"], one["kind"], one["quantity"], one["allocated"]) for one in movements] == [
        (2, "returned", 2, 0),
        (1, "allocated", 1, 1),
    ]
    assert "1 (+1)" in run("stock", "movements", "--order", "1001").stdout


def test_stock_is_shown_per_outlet(run: Run) -> None:
    (level,) = answer(run("stock", "show", "SHOE-1", "--store", STORE, "--json"))

    assert {
        "outlet_id": "auckland",
        "on_hand": 10,
        "allocated": 1,
        "awaiting": 0,
        "available": 9,
    }.items() <= (level.items())


def test_a_sku_that_nothing_is_known_of_is_an_error(run: Run) -> None:
    assert run("stock", "show", "SHOE-99").exit_code == 1


def test_a_customer_is_found_by_the_e_mail_in_any_spelling(run: Run) -> None:
    listed = answer(run("customers", "list", "--email", " Buyer1@Example.COM ", "--json"))

    assert [one["customer_id"] for one in listed] == ["c-1"]


def test_open_exceptions_are_listed_and_closed_ones_when_asked_for(run: Run) -> None:
    assert [one["subject"] for one in answer(run("exceptions", "list", "--json"))] == ["1001"]
    assert len(answer(run("exceptions", "list", "--all", "--json"))) == 2


def test_dead_letters_are_listed_with_their_coordinates_and_without_the_record(run: Run) -> None:
    (letter,) = answer(run("dlq", "list", "--json"))

    assert (letter["reason"], letter["topic"], letter["partition"], letter["offset"]) == (
        "not_an_event", "sales", 0, 2,
    )  # fmt: skip
    assert "head" not in letter


@pytest.mark.parametrize("command", ["sales", "fulfillments", "refunds", "customers", "exceptions", "dlq"])
def test_every_list_can_be_read_by_people(run: Run, command: str) -> None:
    listed = run(command, "list")

    assert listed.exit_code == 0, listed.output
    assert STORE in listed.stdout


def test_the_schema_is_there_already_and_its_status_says_how_far_the_topics_are(run: Run) -> None:
    assert "already" in run("db", "migrate").stdout
    status = answer(run("db", "status", "--json"))
    assert status["current"] is True
    assert {"topic": "sales", "next_offset": 4}.items() <= next(
        one for one in status["progress"] if one["topic"] == "sales"
    ).items()


def test_a_database_without_a_history_is_an_error_that_names_the_cure(
    run: Run, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.parse import urlsplit

    empty = urlsplit(database)._replace(path="/postgres").geturl()
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", empty)

    listed, status = run("sales", "list"), run("db", "status")

    assert (listed.exit_code, status.exit_code) == (1, 1)
    assert "tillstream db migrate" in listed.stderr
    assert "tillstream db migrate" in status.stderr


def test_a_postgres_that_does_not_answer_is_an_error_without_the_password(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", "postgresql://me:secret@127.0.0.1:1/shop")

    listed = run("sales", "list")

    assert listed.exit_code == 1
    assert "does not answer" in listed.stderr
    assert "secret" not in listed.output


def test_since_takes_spans_dates_and_times() -> None:
    ago = datetime.now(UTC) - timedelta(hours=24)
    assert abs((point("24h") or ago) - ago) < timedelta(hours=24) / 100
    assert point("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert point("2026-03-01T12:00:00+13:00") == datetime(2026, 2, 28, 23, tzinfo=UTC)
    with pytest.raises(typer.BadParameter, match="yesterday"):
        point("yesterday")


async def test_the_roles_of_least_privilege_can_write_and_read_and_nothing_else(
    history_of_a_day: str,
) -> None:
    from importlib.resources import files

    owner = await asyncpg.connect(history_of_a_day)
    roles = files("storage").joinpath("roles.sql").read_text()
    await owner.execute(roles)
    await owner.execute(roles)
    try:
        # What else an address asks for are settings of the session.
        writer = History({"dsn": f"{history_of_a_day}&role=tillstream_writer"}, consumer="other")
        log = Log()
        log.add("sales", sale("2001"))
        log.add("sales", sale("2001", revision=2))
        await write_all(writer, log)
        await writer.close()
        for sql in ("DELETE FROM tillstream.sales", "SELECT head FROM tillstream.dead_letters"):
            async with owner.transaction():
                await owner.execute("SET LOCAL ROLE tillstream_reader")
                assert await owner.fetchval("SELECT count(*) FROM tillstream.open_orders") > 0
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with owner.transaction():
                        await owner.execute(sql)
    finally:
        await owner.execute("DROP OWNED BY tillstream_writer, tillstream_reader")
        await owner.execute("DROP ROLE tillstream_writer, tillstream_reader")
        await owner.close()
