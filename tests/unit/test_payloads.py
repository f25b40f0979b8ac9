"""What is in a file becomes records, byte for byte."""

from io import BytesIO

import pytest

from streams.cli.publish import _faults
from streams.payloads import PayloadError, split, whole
from topics.registry import INBOUND, Topic


def values(data: bytes, topic: str = "ecom.orders") -> list[bytes | None]:
    return [payload.value for payload in split(BytesIO(data), "file", topic)]


def test_one_document_is_one_record_as_it_was_written() -> None:
    assert values(b'{\n  "id": 1.50\n}\n') == [b'{\n  "id": 1.50\n}']


def test_the_elements_of_an_array_are_a_record_each() -> None:
    assert values(b'[{"id": 1.0}, {"id" : 2},\n null]') == [b'{"id": 1.0}', b'{"id" : 2}', None]
    assert values(b"[]") == []


def test_lines_are_a_record_each() -> None:
    assert values(b'{"id": 1}\r\n\n{"id": 2}\nnull') == [b'{"id": 1}', b'{"id": 2}', None]


def test_documents_one_after_the_other_are_a_record_each() -> None:
    assert values(b'{\n"id": 1}\n{\n"id": 2}') == [b'{\n"id": 1}', b'{\n"id": 2}']


def test_a_search_answer_stays_one_record() -> None:
    assert values(b'{"count": 2, "items": [{"id": 1}, {"id": 2}]}') == [
        b'{"count": 2, "items": [{"id": 1}, {"id": 2}]}'
    ]


def test_a_list_that_the_point_of_sale_wraps_is_a_record_each() -> None:
    assert values(b'{"data": [{"id": 1}, {"id": 2}]}', "pos.customers") == [b'{"id": 1}', b'{"id": 2}']
    assert values(b'{"data": {"id": 1}}', "pos.customers") == [b'{"data": {"id": 1}}']
    assert values(b'{"data": [{"id": 1}]}', "ecom.orders") == [b'{"data": [{"id": 1}]}']


@pytest.mark.parametrize("topic", ["pos.sales", "pos.fulfillments"])
def test_what_the_point_of_sale_answers_about_sales_is_taken_apart_too(topic: str) -> None:
    answer = b'{"data": [{"id": "a"}, {"id": "b"}], "version": {"min": 1, "max": 2}}'
    assert values(answer, topic) == [b'{"id": "a"}', b'{"id": "b"}']
    assert values(b'[{"data": {"id": "a"}}, {"id": "b"}]', topic) == [
        b'{"data": {"id": "a"}}',
        b'{"id": "b"}',
    ]


def test_text_that_only_some_decoders_take_is_sent_as_it_is() -> None:
    assert values(b'[{"name": "a\\ud83d"}, {"level": NaN}]') == [b'{"name": "a\\ud83d"}', b'{"level": NaN}']


def test_a_byte_order_mark_is_left_out() -> None:
    assert values(b'\xef\xbb\xbf{"id": 1}') == [b'{"id": 1}']


def test_with_raw_a_file_is_one_record_whatever_it_holds() -> None:
    assert [payload.value for payload in whole(BytesIO(b'\xff{"id'), "file")] == [b'\xff{"id']


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"id": 1', "file is not JSON"),
        (b'{"id": 1}\n{"id": \n', "file, line 2 is not JSON"),
        (b'{"id": 1}\n{"id": 2} {"id": 3}', "file, line 2: more than one JSON value"),
        (b'[{"id": 1} {"id": 2}]', "Expecting ',' delimiter"),
        (b'[{"id": 1}] x', "text after the array's end"),
        (b'{"id": "\xe9"}', "not UTF-8 at byte 8"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_not_json_is_told_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        values(data)


@pytest.mark.parametrize("topic", INBOUND, ids=lambda topic: topic.name)
def test_a_record_of_every_inbound_topic_is_looked_at_before_it_is_sent(topic: Topic) -> None:
    assert list(_faults(topic.name, b"{}")), "nothing is wrong with an empty object"
