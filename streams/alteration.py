"""Settings of topics that are not those of the registry: what setting them would cost, and doing it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from streams.provision import TopicState
from streams.settings import Settings

Cost = Literal["nothing", "old_records", "replaced_records", "deletions"]
"""What Kafka may remove once the setting is made: records older than the retention; records whose key has a
newer one; marks of deleted keys, which a reader that was away too long then never sees."""

_TOPIC = 2
_SET = 0


class Alteration(msgspec.Struct, frozen=True):
    """A setting to be made, and how many records may go for it (`deletions` are not counted)."""

    topic: str
    setting: str
    found: str
    due: str
    cost: Cost
    records: int = 0


def alterations(states: Sequence[TopicState]) -> list[Alteration]:
    """Return the settings that differ from the registry's, with what they cost, uncounted."""
    return [
        Alteration(state.name, key, found, due, cost_of(key, found, due, state.config, state.due))
        for state in states
        for key, (due, found) in state.differs.items()
    ]


def cost_of(key: str, found: str, due: str, config: Mapping[str, str], wanted: Mapping[str, str]) -> Cost:
    """Say what Kafka may remove once the setting is changed; `config` are all as found, `wanted` as due."""
    if key == "retention.ms":
        return "old_records" if _shorter(due, found) else "nothing"
    if key == "delete.retention.ms":
        return "deletions" if _shorter(due, found) else "nothing"
    if key == "cleanup.policy":
        had, has = set(found.split(",")), set(due.split(","))
        if "compact" in has - had:
            return "replaced_records"
        # What nothing but compaction removed is from now on also removed by age.
        if "delete" in has - had and wanted.get("retention.ms", config.get("retention.ms")) != "-1":
            return "old_records"
    return "nothing"


def _shorter(due: str, found: str) -> bool:
    """Compare spans in milliseconds, of which -1 has no end."""
    return int(due) >= 0 and (int(found) < 0 or int(due) < int(found))


async def counted(
    settings: Settings, planned: Sequence[Alteration], states: Sequence[TopicState]
) -> list[Alteration]:
    """Return the alterations with the records counted that may go."""
    if not any(one.cost in ("old_records", "replaced_records") for one in planned):
        return list(planned)
    by_name = {state.name: state for state in states}
    consumer = AIOKafkaConsumer(**settings.kafka.client_options(), enable_auto_commit=False)
    async with consumer:
        found = []
        for one in planned:
            state = by_name[one.topic]
            places = [TopicPartition(one.topic, number) for number in range(state.partitions)]
            records = 0
            if one.cost in ("old_records", "replaced_records"):
                begins = await consumer.beginning_offsets(places)
                ends = await consumer.end_offsets(places)
                if one.cost == "old_records":
                    oldest = int(time.time() * 1000) - int(state.due["retention.ms"])
                    kept = await consumer.offsets_for_times(dict.fromkeys(places, oldest))
                    ends = {place: kept[place].offset if kept[place] else ends[place] for place in places}
                records = sum(ends[place] - begins[place] for place in places)
            found.append(msgspec.structs.replace(one, records=records))
        return found


class _AlterAnswer(Response):  # type: ignore[misc]  # untyped
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _Alter(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterAnswer
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(("name", String("utf-8")), ("config_operation", Int8), ("value", String("utf-8"))),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class AlterRequest:
    """Sets settings of topics and leaves all their others alone, which aiokafka's own request does not."""

    def __init__(self, changes: Sequence[Alteration]) -> None:
        wanted: dict[str, dict[str, str]] = {}
        for one in changes:
            wanted.setdefault(one.topic, {})[one.setting] = one.due
        self.wanted: Mapping[str, Mapping[str, str]] = wanted
        """The settings that are made, by topic."""

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> Any:
        """Return what is sent; IncompatibleBrokerVersion when the broker does not know it."""
        low, high = versions.get(_Alter.API_KEY, (0, -1))
        if not low <= _Alter.API_VERSION <= high:
            raise IncompatibleBrokerVersion(
                "the broker is older than Kafka 2.3: it cannot change single settings"
            )
        resources = [
            (_TOPIC, topic, [(setting, _SET, value) for setting, value in due.items()])
            for topic, due in self.wanted.items()
        ]
        return _Alter(resources, False)
