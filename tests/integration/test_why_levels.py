"""`tillstream stock why`, on a real Postgres: what made a level, and what it says if that does not add up."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from storage import schema
from storage.history import History
from storage.operations.audit import Order, audited
from streams.cli import stock
from streams.cli.exits import Exit
from tests.integration.storage_log import STORE, Log, moved, write_all

Run = Callable[..., Result]
Told = tuple[str, int, int, int]
"""Kind, and the changes of on hand, allocated and awaiting."""

LIFE: tuple[Told, ...] = (
    ("counted", 10, 0, 0),
    ("allocated", 0, 2, 0),
    ("counted", -3, 0, 0),
    ("allocated", 0, 1, 0),
    ("fulfilled", 0, -2, 2),
)


def tell(log: Log, product: str, *life: Told, first: int = 1) -> None:
    """Add the movements of a product at Auckland, each going on from the one before."""
    sums = [Decimal(0)] * 3
    for revision, (kind, *changes) in enumerate(life, first):
        sums = [total + change for total, change in zip(sums, changes, strict=True)]
        event = moved(
            revision,
            product=product,
            kind=kind,
            sku=product.upper(),
            quantity=Decimal(0 if kind == "counted" else 1),
            on_hand=Decimal(changes[0]),
            allocated=Decimal(changes[1]),
            awaiting=Decimal(changes[2]),
            on_hand_after=sums[0],
            allocated_after=sums[1],
            awaiting_after=sums[2],
        )
        log.add("stock.movements", event)


@pytest.fixture(scope="module")
async def history(database: str) -> AsyncIterator[Any]:
    """Levels that are right, and others that somebody has laid hands on; a connection to break more."""
    connection = await asyncpg.connect(database, server_settings={"search_path": "tillstream"})
    await schema.migrate_all(connection)
    log = Log()
    for product in ("right", "gap", "sum", "level", "twice", "pruned", "corrected", "gone"):
        tell(log, product, *LIFE)
    writer = History({"dsn": database}, consumer="history")
    await write_all(writer, log)
    await writer.close()
    for sql in (
        "DELETE FROM stock_movements WHERE product_id = 'gap' AND revision IN (3, 4)",
        "UPDATE stock_movements SET allocated = 5 WHERE product_id = 'sum' AND revision = 4",
        "UPDATE stock_levels SET on_hand = 8 WHERE product_id = 'level'",
        "DELETE FROM stock_movements WHERE product_id = 'pruned' AND revision < 3",
        "DELETE FROM stock_movements WHERE product_id = 'gone'",
        "UPDATE stock_movements SET on_hand = -4 WHERE product_id = 'corrected' AND revision = 3",
    ):
        await connection.execute(sql)
    columns = await connection.fetchval(
        "SELECT string_agg(column_name, ', ') FROM information_schema.columns"
        " WHERE table_schema = 'tillstream' AND table_name = 'stock_movements'"
        " AND column_name <> 'processed_at'"
    )
    # The same movement as if decided in another month: no key of one table can tell.
    await connection.execute(
        f"INSERT INTO stock_movements ({columns}, processed_at)"
        f" SELECT {columns}, processed_at + interval '40 days'"
        " FROM stock_movements WHERE product_id = 'twice' AND revision = 4"
    )
    yield connection
    await connection.close()


@pytest.fixture
def run(database: str, history: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", database)
    monkeypatch.setenv("TILLSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    app = typer.Typer()
    stock.register(app)
    return lambda *arguments: CliRunner().invoke(app, ["stock", "why", *arguments, "--store", STORE])


def told(result: Result) -> Any:
    (level,) = json.loads(result.stdout, parse_float=Decimal)
    return level


def test_a_level_is_its_movements_from_the_last_count_on(run: Run) -> None:
    result = run("RIGHT", "--json")
    level = told(result)
    assert result.exit_code == Exit.OK
    assert level["level"] == {"on_hand": 7, "allocated": 1, "awaiting": 2}
    assert (level["available"], level["opening"]["on_hand"], level["problems"]) == (4, 10, [])
    assert [(one["revision"], one["kind"], one["running"]["allocated"]) for one in level["movements"]] == [
        (3, "counted", 2),
        (4, "allocated", 3),
        (5, "fulfilled", 1),
    ]
    shown = run("RIGHT").stdout
    assert "7 on hand, 1 allocated, 2 awaiting count" in shown
    assert "It adds up." in shown


@pytest.mark.parametrize(
    ("sku", "problem"),
    [
        ("GAP", "movements are missing: 3 to 4"),
        (
            "SUM",
            "movement 4 leads to 7 on hand, 7 allocated, 0 awaiting count, and says 7 on hand, 3 allocated",
        ),
        ("LEVEL", "the level stands at 8 on hand"),
        ("TWICE", "movement 4 is there twice"),
    ],
)
def test_what_does_not_add_up_is_said_and_is_the_exit_code(run: Run, sku: str, problem: str) -> None:
    result = run(sku, "--json")
    assert result.exit_code == Exit.FOUND
    assert problem in "\n".join(told(result)["problems"])
    shown = run(sku)
    assert shown.exit_code == Exit.FOUND
    assert "It does NOT add up" in shown.stdout


@pytest.mark.parametrize(("sku", "first"), [("PRUNED", 3), ("GONE", None)])
def test_movements_that_were_pruned_are_no_fault(run: Run, sku: str, first: int | None) -> None:
    result = run(sku, "--json")
    assert (result.exit_code, told(result)["first_revision"]) == (Exit.OK, first)
    assert "were pruned" in run(sku).stdout


async def test_a_correction_makes_good_what_was_wrong_before_it_and_says_who_and_why(
    run: Run, history: Any, database: str
) -> None:
    before = await asyncio.to_thread(run, "CORRECTED", "--json")
    assert before.exit_code == Exit.FOUND
    order = Order("reconcile compensate", "ada", "counted wrongly", {"store": STORE})
    async with audited(history, order) as result:
        result["corrections"] = [{"partition": 2, "offset": 17}]
    log = Log()
    log.add(
        "stock.movements",
        moved(
            6,
            product="corrected",
            kind="corrected",
            sku="CORRECTED",
            quantity=Decimal(0),
            on_hand=Decimal(1),
            allocated=Decimal(0),
            on_hand_after=Decimal(7),
            allocated_after=Decimal(1),
            awaiting_after=Decimal(2),
        ),
    )
    writer = History({"dsn": database}, consumer="another")
    await write_all(writer, log)
    await writer.close()
    await history.execute(
        "UPDATE stock_movements SET source_topic = 'stock.corrections', source_partition = 2,"
        " source_offset = 17 WHERE kind = 'corrected'"
    )
    after = await asyncio.to_thread(run, "CORRECTED", "--json")
    assert (after.exit_code, told(after)["problems"]) == (Exit.OK, [])
    last = told(after)["movements"][-1]
    assert (last["by"], last["why"]) == ("ada", "counted wrongly")
    shown = await asyncio.to_thread(run, "CORRECTED")
    assert "counted wrongly (ada), stock.corrections/2@17" in shown.stdout


def test_a_sku_that_is_not_there_is_said(run: Run) -> None:
    result = run("NOWHERE")
    assert result.exit_code == Exit.FAILED
    assert "has no level of SKU 'NOWHERE'" in result.output
