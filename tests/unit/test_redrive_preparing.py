"""What is sent again for a dead letter, and why sometimes nothing is: without Kafka and Postgres."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from storage.lookups.dead_letters import DeadLetterListed
from streams.redrive import contract
from streams.redrive.advice import advice
from streams.redrive.envelope import elements
from streams.redrive.marks import FROM, REDRIVE, marked, redrive_of
from streams.redrive.originals import Gone, Original
from streams.redrive.plan import in_portions
from streams.redrive.preparing import Given, Outgoing, Refused, prepare
from tests.contracts.payloads import order
from topics import codec, moments
from topics.decoders import decode_orders
from topics.errors import REASONS, ContractError
from topics.registry import INBOUND, INPUT_BYTES

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REMOVED = Gone("retention has removed it: ecom.orders/1 begins at offset 90 now")


def raw(document: Any) -> bytes:
    return json.dumps(document).encode()


GOOD = raw(order())


def letter(value: bytes = GOOD, **changes: Any) -> DeadLetterListed:
    values: dict[str, Any] = {
        "dead_letter_id": "l-1",
        "found_by": "stock",
        "reason": "bad_number",
        "detail": "total: not a number",
        "topic": "ecom.orders",
        "partition": 1,
        "offset": 41,
        "store_id": "shoes",
        "record_time": NOON,
        "processed_at": NOON,
        "length": len(value),
        "sha256": sha256(value).hexdigest(),
        "complete": True,
        "state": "new",
        "came_back_as": [],
    }
    names = DeadLetterListed.__struct_fields__
    return DeadLetterListed(**{name: (values | changes).get(name) for name in names})


def original(value: bytes | None = GOOD, key: bytes | None = b"shoes", **changes: Any) -> Original:
    made = Original(key=key, value=value, headers=(("trace", b"1"),), timestamp=moments.milliseconds(NOON))
    return msgspec.structs.replace(made, **changes)


def sent(
    one: DeadLetterListed, found: Original | Gone, head: bytes | None = None, given: Given | None = None
) -> Outgoing:
    outgoing = prepare(one, found, head, given or Given())
    assert isinstance(outgoing, Outgoing), outgoing
    return outgoing


def refusal(
    one: DeadLetterListed, found: Original | Gone, head: bytes | None = None, given: Given | None = None
) -> str:
    refused = prepare(one, found, head, given or Given())
    assert isinstance(refused, Refused), refused
    return refused.why


def test_the_record_is_sent_as_it_stands_in_the_log() -> None:
    outgoing = sent(letter(), original(), b"the letter is not asked")

    assert (outgoing.value, outgoing.key, outgoing.headers) == (GOOD, b"shoes", (("trace", b"1"),))
    assert (outgoing.origin, outgoing.timestamp) == ("log", moments.milliseconds(NOON))
    assert outgoing.fault is None


def test_a_record_that_retention_removed_is_taken_from_its_letter() -> None:
    outgoing = sent(letter(), REMOVED, GOOD)

    assert (outgoing.value, outgoing.key, outgoing.headers) == (GOOD, b"shoes", ())
    assert (outgoing.origin, outgoing.timestamp) == ("letter", moments.milliseconds(NOON))


def test_a_record_that_was_removed_and_of_which_the_letter_holds_a_head_is_refused_with_both_reasons() -> (
    None
):
    why = refusal(letter(length=90_000, complete=False), REMOVED, GOOD[:100])

    assert REMOVED.why in why
    assert "the first 100 of 90,000 bytes" in why
    assert "--replace FILE" in why


def test_the_record_of_a_topic_that_was_made_anew_is_not_taken_for_the_refused_one() -> None:
    other = original(raw(order(id="OTHER")), timestamp=moments.milliseconds(NOON + timedelta(days=1)))

    assert sent(letter(), other, GOOD).value == GOOD
    assert "the topic was made anew" in refusal(letter(complete=False), other, GOOD[:9])


def test_an_empty_record_of_the_log_stays_one_and_a_link_is_never_removed_by_a_letter() -> None:
    empty = letter(b"", reason="empty_record")
    assert sent(empty, original(None)).value is None
    assert sent(msgspec.structs.replace(empty, topic="store.links"), REMOVED, b"").value == b""


@pytest.mark.parametrize("key", [None, b" ", b"\xff\xfe", b"x" * 256])
def test_a_record_whose_key_cannot_be_a_store_needs_one_said(key: bytes | None) -> None:
    keyless = letter(store_id=None, reason="no_key")

    assert "--store ID" in refusal(keyless, original(key=key))
    assert sent(keyless, original(key=key), given=Given(store_id="shoes")).key == b"shoes"
    assert sent(letter(), original(), given=Given(store_id="hats")).key == b"shoes", "a good key is kept"


def test_of_a_search_answer_the_part_is_sent_byte_for_byte() -> None:
    parts = [b'{"id":1,"total":NaN, "items" : []}', b'{ "id":2,\t"total":1e2 }']
    answer = b'\xef\xbb\xbf {"count":2,"items":[' + b" , ".join(parts) + b'], "offset":0}'

    for place, part in enumerate(parts):
        one = letter(answer, part=place)
        assert sent(one, original(answer)).value == part
        assert sent(one, REMOVED, answer).value == part
    assert "part 2 of the record cannot be taken out" in refusal(letter(answer, part=2), original(answer))


def test_a_record_in_a_letters_place_is_looked_at_before_it_is_sent() -> None:
    outgoing = sent(letter(b"{"), REMOVED, b"{", Given(replacement=GOOD))
    assert (outgoing.value, outgoing.origin) == (GOOD, "file")

    why = refusal(letter(), original(), given=Given(replacement=raw(order(total="NaN"))))
    assert "given in its place breaks the contract: bad_number" in why


def test_what_would_be_refused_again_is_said_and_sent_all_the_same() -> None:
    assert (sent(letter(b"{"), original(b"{")).fault or "").startswith("not_json")


def test_of_what_has_no_version_it_is_said_that_it_counts_as_the_latest() -> None:
    count = {"product_id": "p", "outlet_id": "o", "count": 3}
    for version, beware in ((7, False), (None, True)):
        value = raw(count | {"version": version})
        outgoing = sent(letter(value, topic="pos.inventory"), original(value))
        assert (outgoing.fault, outgoing.caution is not None) == (None, beware)
    assert sent(letter(), original()).caution is None


def test_a_record_that_does_not_fit_with_its_mark_is_refused() -> None:
    large = b" " * (INPUT_BYTES - 100)

    assert "1,048,5" in refusal(letter(large), original(large))


def test_a_message_that_had_waited_for_its_link_is_sent_as_the_record_it_came_in() -> None:
    orders = [order(id=name) for name in ("A", "B")]
    answer = raw({"count": 2, "offset": 0, "items": orders})
    second = decode_orders(answer, NOON)[1]
    assert not isinstance(second, ContractError)
    body = codec.encode(second)
    waited = letter(body, reason="rule_failed", order_id="B")

    alone = raw(orders[1])
    assert sent(waited, original(alone), body).value == alone, "the record was the one order"
    assert "which of the 1" in refusal(waited, original(GOOD), body), "another order stands there"
    assert sent(waited, original(answer), body).value == raw(orders[1])
    assert "what was understood of it, not the record" in refusal(waited, REMOVED, body)
    strange = msgspec.structs.replace(waited, sha256="0" * 64)
    assert "which of the 2" in refusal(strange, original(answer), body)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"found_by": "history", "topic": "sales"}, "replay the history"),
        ({"topic": "sales"}, "no inbound topic"),
        ({"state": "discarded"}, "tillstream dlq restore l-1"),
    ],
)
def test_what_must_not_be_sent_is_refused_with_what_to_do_instead(changes: Any, said: str) -> None:
    assert said in refusal(letter(**changes), original())


def test_the_mark_takes_the_place_of_an_earlier_one() -> None:
    once = marked([("trace", b"1")], "ecom.orders/1/41", "r-1")
    twice = marked(once, "ecom.orders/2/7", "r-2")

    assert twice == [("trace", b"1"), (FROM, b"ecom.orders/2/7"), (REDRIVE, b"r-2")]
    assert (redrive_of(twice), redrive_of([("trace", b"1")])) == ("r-2", None)


def test_letters_go_in_the_order_of_their_records_as_many_at_once_as_fit_a_transaction() -> None:
    letters = [letter(partition=p, offset=o) for o in range(150) for p in (1, 0)]
    portions = list(in_portions(letters))

    places = [(one.partition, one.offset) for portion in portions for one in portion]
    assert places == sorted(places)
    assert [len(portion) for portion in portions] == [200, 100]
    large = [letter(offset=o, length=3 << 20) for o in range(3)]
    assert [len(portion) for portion in in_portions(large)] == [1, 1, 1]


@pytest.mark.parametrize("topic", [topic.name for topic in INBOUND])
def test_every_inbound_topic_has_a_contract_to_look_at(topic: str) -> None:
    assert (contract.fault(topic, b"{", NOON) or "").startswith("not_json")


@pytest.mark.parametrize("reason", [*REASONS, "not_an_event", "not_a_row"])
def test_every_reason_has_advice(reason: str) -> None:
    assert "know the reason" not in advice(reason)


@pytest.mark.parametrize(
    "value", [b"[]", b'{"count":1}', b'{"items":{}}', b'{"items":[1 2]}', b'{"items":[1]']
)
def test_what_is_no_search_answer_has_no_elements(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"due at|items|Expecting"):
        elements(value)
