"""The commands that ask the history, on a real Postgres: what they print, and how they fail."""

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
from streams.cli import customers, db, dlq, exceptions, fulfillments, sales, stock
from streams.cli.history import point
from tests.integration.storage_log import (
    STORE,
    Log,
    attention,
    customer,
    fulfillment,
    line,
    moved,
    sale,
    write_all,
)
from topics import ids
from topics.ids import LineId, OrderId, OutletId, ProductId
from topics.sales import SaleFulfillment, SaleFulfillmentLine

Run = Callable[..., Result]


@pytest.fixture(scope="module")
async def history_of_a_day(database: str) -> AsyncIterator[str]:
    """A paid order of one and a half shoes at Auckland, a voided one, an exception, a dead letter."""
    connection = await asyncpg.connect(database)
    await schema.migrate(connection)
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
    history = History({"dsn": database}, consumer="history")
    await write_all(history, log)
    await history.close()
    yield database


@pytest.fixture
def run(history_of_a_day: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", history_of_a_day)
    monkeypatch.setenv("TILLSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    app = typer.Typer()
    for module in (sales, fulfillments, stock, customers, exceptions, dlq, db):
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
    assert the_line["allocations"] == [{"outlet_id": "auckland", "quantity": 1}]
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
        ([], ["1001", "1002"]),
        (["--state", "voided"], ["1002"]),
        (["--store", "elsewhere"], []),
        (["--customer", "c-1", "--limit", "1"], ["1001"]),
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


@pytest.mark.parametrize("command", ["sales", "fulfillments", "customers", "exceptions", "dlq"])
def test_every_list_can_be_read_by_people(run: Run, command: str) -> None:
    listed = run(command, "list")

    assert listed.exit_code == 0, listed.output
    assert STORE in listed.stdout


def test_the_schema_is_there_already_and_its_status_says_how_far_the_topics_are(run: Run) -> None:
    assert "already" in run("db", "migrate").stdout
    status = answer(run("db", "status", "--json"))
    assert status["current"] is True
    assert {"topic": "sales", "next_offset": 3}.items() <= next(
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
