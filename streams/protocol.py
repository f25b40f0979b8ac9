"""Requests to brokers that aiokafka has no classes for, and their answers as plain dictionaries.

Field names and types are those of Kafka's own message definitions; all of these are flexible versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)
_THROTTLED = ("throttle_time_ms", Int32)


class Question:
    """One request in one version, as aiokafka's connection takes it."""

    def __init__(self, name: str, struct: type[Any], since: str, *values: Any) -> None:
        self._name = name
        self._struct = struct
        self._since = since
        self._values = values

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> Any:
        """Return what is sent; IncompatibleBrokerVersion when the broker does not know it."""
        low, high = versions.get(self._struct.API_KEY, (0, -1))
        if not low <= self._struct.API_VERSION <= high:
            raise IncompatibleBrokerVersion(
                f"the broker does not know {self._name} version {self._struct.API_VERSION}: it is older than"
                f" Kafka {self._since}"
            )
        return self._struct(*self._values, {})


class _ProducersAnswer(Response):  # type: ignore[misc]  # untyped
    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        _THROTTLED,
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("error_code", Int16),
                        ("error_message", _TEXT),
                        (
                            "active_producers",
                            CompactArray(
                                ("producer_id", Int64),
                                ("producer_epoch", Int32),
                                ("last_sequence", Int32),
                                ("last_timestamp", Int64),
                                ("coordinator_epoch", Int32),
                                ("current_txn_start_offset", Int64),
                                _TAGS,
                            ),
                        ),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _Producers(RequestStruct):  # type: ignore[misc]
    API_KEY = 61
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _ProducersAnswer
    SCHEMA = Schema(
        ("topics", CompactArray(("name", _TEXT), ("partition_indexes", CompactArray(Int32)), _TAGS)), _TAGS
    )


class _TransactionsAnswer(Response):  # type: ignore[misc]
    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        _THROTTLED,
        (
            "transaction_states",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", _TEXT),
                ("transaction_state", _TEXT),
                ("transaction_timeout_ms", Int32),
                ("transaction_start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("topics", CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _Transactions(RequestStruct):  # type: ignore[misc]
    API_KEY = 65
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _TransactionsAnswer
    SCHEMA = Schema(("transactional_ids", CompactArray(_TEXT)), _TAGS)


class _TransactionListAnswer(Response):  # type: ignore[misc]
    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        _THROTTLED,
        ("error_code", Int16),
        ("unknown_state_filters", CompactArray(_TEXT)),
        (
            "transaction_states",
            CompactArray(
                ("transactional_id", _TEXT), ("producer_id", Int64), ("transaction_state", _TEXT), _TAGS
            ),
        ),
        _TAGS,
    )


class _TransactionList(RequestStruct):  # type: ignore[misc]
    API_KEY = 66
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _TransactionListAnswer
    SCHEMA = Schema(
        ("state_filters", CompactArray(_TEXT)), ("producer_id_filters", CompactArray(Int64)), _TAGS
    )


class _OffsetsAnswer(Response):  # type: ignore[misc]
    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        _THROTTLED,
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("committed_offset", Int64),
                        ("committed_leader_epoch", Int32),
                        ("metadata", _TEXT),
                        ("error_code", Int16),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        ("error_code", Int16),
        _TAGS,
    )


class _Offsets(RequestStruct):  # type: ignore[misc]
    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _OffsetsAnswer
    SCHEMA = Schema(
        ("group_id", _TEXT),
        ("topics", CompactArray(("name", _TEXT), ("partition_indexes", CompactArray(Int32)), _TAGS)),
        ("require_stable", Boolean),
        _TAGS,
    )


class _LogDirsAnswer(Response):  # type: ignore[misc]
    API_KEY = 35
    API_VERSION = 4
    SCHEMA = Schema(
        _THROTTLED,
        ("error_code", Int16),
        (
            "results",
            CompactArray(
                ("error_code", Int16),
                ("log_dir", _TEXT),
                (
                    "topics",
                    CompactArray(
                        ("name", _TEXT),
                        (
                            "partitions",
                            CompactArray(
                                ("partition_index", Int32),
                                ("partition_size", Int64),
                                ("offset_lag", Int64),
                                ("is_future_key", Boolean),
                                _TAGS,
                            ),
                        ),
                        _TAGS,
                    ),
                ),
                ("total_bytes", Int64),
                ("usable_bytes", Int64),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _LogDirs(RequestStruct):  # type: ignore[misc]
    API_KEY = 35
    API_VERSION = 4
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _LogDirsAnswer
    SCHEMA = Schema(
        ("topics", CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)), _TAGS
    )


def producers(topics: Mapping[str, list[int]]) -> Question:
    """Ask a leader who writes to partitions, and which of them have a transaction open."""
    return Question("DescribeProducers", _Producers, "2.8", _asked(topics))


def transactions(transactional_ids: list[str]) -> Question:
    """Ask a coordinator about transactions that it keeps."""
    return Question("DescribeTransactions", _Transactions, "3.0", transactional_ids)


def transaction_list(producer_ids: list[int]) -> Question:
    """Ask a broker for the transactions that it coordinates, of these producers."""
    return Question("ListTransactions", _TransactionList, "3.0", [], producer_ids)


def stable_offsets(group: str, topics: Mapping[str, list[int]]) -> Question:
    """Ask a group's coordinator for committed offsets, but not while a transaction may still change them."""
    return Question("OffsetFetch", _Offsets, "2.5", group, _asked(topics), True)  # the wire's order


def log_dirs() -> Question:
    """Ask a broker how much room its log directories have, and nothing about what is in them."""
    return Question("DescribeLogDirs", _LogDirs, "3.3", [])


def _asked(topics: Mapping[str, list[int]]) -> list[tuple[str, list[int], dict[int, bytes]]]:
    return [(topic, partitions, {}) for topic, partitions in sorted(topics.items())]
