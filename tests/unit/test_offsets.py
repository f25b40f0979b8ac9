"""A consumer group's committed offsets: an answer that is an error is never one of a group without any."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.commit import OffsetFetchResponse_v3
from aiokafka.structs import TopicPartition
from faust.types import TP

from streams.offsets import committed_offsets, described, read_offsets
from streams.runtime import consumer_thread
from streams.runtime.consumer_thread import ConsumerThread
from streams.runtime.errors import PositionError

LOADING, MOVED = GroupLoadInProgressError.errno, NotCoordinatorForGroupError.errno
REFUSED = TopicAuthorizationFailedError.errno
ORDERS = TopicPartition("ecom.orders", 2)
TOLD = OffsetFetchResponse_v3(0, [("ecom.orders", [(2, 17, "", 0), (3, -1, "", 0)])], 0)


class Coordinator:
    """Stands in for the admin client: answers one after the other; none is left at the end."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def find_coordinator(self, group: str) -> int:
        return 1

    async def _send_request(self, request: Any, node_id: int) -> Any:
        return self.answers.pop(0)

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        return [self]

    def to_object(self) -> dict[str, Any]:
        return {"groups": [self.answers.pop(0)]}


class Group:
    """Stands in for the coordinator that a worker's consumer knows."""

    group_id = "stock"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.lost = 0

    async def ensure_coordinator_known(self) -> None:
        pass

    async def _send_req(self, request: Any) -> Any:
        return self.answers.pop(0)

    def coordinator_dead(self) -> None:
        self.lost += 1


def failed(code: int) -> Any:
    return OffsetFetchResponse_v3(0, [], code)


def test_where_nothing_is_committed_there_is_no_offset() -> None:
    assert read_offsets(TOLD) == {ORDERS: 17, TopicPartition("ecom.orders", 3): None}


@pytest.mark.parametrize(
    "answer", [failed(LOADING), OffsetFetchResponse_v3(0, [("a", [(0, -1, "", LOADING)])], 0)]
)
def test_an_error_is_raised_whatever_it_is_about(answer: Any) -> None:
    with pytest.raises(GroupLoadInProgressError):
        read_offsets(answer)


async def test_a_coordinator_that_loads_or_moved_is_asked_again() -> None:
    admin = Coordinator(failed(LOADING), failed(MOVED), TOLD)
    assert await committed_offsets(admin, "stock") == {ORDERS: 17}
    assert not admin.answers


async def test_a_worker_asks_again_too_before_it_begins_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_thread, "OFFSETS_PAUSE_S", 0)
    group = Group(failed(LOADING), failed(MOVED), TOLD)
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_coordinator=group))
    thread._fetch_offsets = partial(ConsumerThread._fetch_offsets, thread)
    assert await ConsumerThread._committed(thread, [TP(*ORDERS)]) == {TP(*ORDERS): 17}
    assert (group.answers, group.lost) == ([], 1)


async def test_a_worker_begins_nowhere_when_the_answer_leaves_a_partition_out() -> None:
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_coordinator=Group(TOLD)))
    thread._fetch_offsets = partial(ConsumerThread._fetch_offsets, thread)
    with pytest.raises(PositionError, match="partition=7"):
        await ConsumerThread._committed(thread, [TP(*ORDERS), TP("ecom.orders", 7)])


async def test_what_will_not_pass_is_raised_at_once() -> None:
    admin = Coordinator(failed(REFUSED), TOLD)
    with pytest.raises(TopicAuthorizationFailedError):
        await committed_offsets(admin, "stock")
    assert admin.answers == [TOLD]


async def test_a_group_has_no_members_only_if_its_coordinator_says_so() -> None:
    known = {"error_code": 0, "state": "Stable", "members": ["a worker"]}
    admin = Coordinator({"error_code": LOADING, "state": "", "members": []}, known)
    assert await described(admin, "stock") == known
