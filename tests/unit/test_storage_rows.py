"""What the history reads of an event is what the contract says that it holds."""

import types
import typing
from datetime import datetime
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import FieldInfo

from storage.queries import query
from storage.rows import TARGETS, customers, dead_letters, exceptions, fulfillments, movements, refunds, sales
from storage.schema import migrations
from topics.codec import EVENTS
from topics.registry import OUTBOUND

READ = {
    "sales": sales.Sale,
    "fulfillments": fulfillments.Fulfillment,
    "refunds": refunds.Refund,
    "stock.movements": movements.StockMoved,
    "customers": customers.Customer,
    "exceptions": exceptions.ExceptionChanged,
    "dead.letters": dead_letters.DeadLetter,
}
OURS_ALONE = {"found_by"}


def test_every_outgoing_topic_becomes_rows_but_the_online_level() -> None:
    assert set(TARGETS) == {topic.name for topic in OUTBOUND} - {"ecom.stock"}


@pytest.mark.parametrize("topic", READ)
def test_the_history_reads_fields_that_the_contract_has_with_the_same_meaning_when_absent(topic: str) -> None:
    _compare(READ[topic], EVENTS[topic], topic)


def _compare(ours: type, theirs: type, where: str) -> None:
    contract: dict[str, FieldInfo] = {field.name: field for field in msgspec.structs.fields(theirs)}
    for field in msgspec.structs.fields(ours):
        if field.name in OURS_ALONE:
            continue
        place = f"{where}.{field.name}"
        assert field.name in contract, f"{place} is not in the contract"
        known = contract[field.name]
        assert field.required == known.required, f"{place} is required in one only"
        if not field.required:
            # Decimals stay text here.
            assert field.default == _as_text(known.default), f"{place} has another value when absent"
        _compare_types(field.type, known.type, place)


def _compare_types(ours: typing.Any, theirs: typing.Any, place: str) -> None:
    own, known = _parts(ours), _parts(theirs)
    assert (type(None) in own) == (type(None) in known), f"{place} may be null in one only"
    for mine, other in zip(own - {type(None)}, known - {type(None)}, strict=True):
        if typing.get_origin(mine) is tuple:
            _compare_types(typing.get_args(mine)[0], typing.get_args(other)[0], place)
        elif isinstance(mine, type) and issubclass(mine, msgspec.Struct):
            _compare(mine, other, place)
        else:
            assert mine is _plain(other), f"{place} is {mine} here and {other} in the contract"


def _parts(kind: typing.Any) -> set[typing.Any]:
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return set(typing.get_args(kind)) if union else {kind}


def _plain(kind: typing.Any) -> typing.Any:
    """The type that a contract's type has in JSON text."""
    if hasattr(kind, "__supertype__"):
        return _plain(kind.__supertype__)
    if typing.get_origin(kind) is typing.Literal:
        return str
    return str if kind in (Decimal, datetime) else kind


def _as_text(value: typing.Any) -> typing.Any:
    return str(value) if isinstance(value, Decimal) else value


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_query_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(LookupError, match="remove_purchases"):
        query("rows.remove_purchases")
