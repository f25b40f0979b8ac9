"""Dead letters: what becomes of a record that cannot be decided."""

from datetime import datetime
from hashlib import sha256
from traceback import format_exception

from topics.dead_letters import HEAD_BYTES, DeadLetter
from topics.errors import ContractError, Reason
from topics.event import Source
from topics.ids import OrderId, StoreId, uuid5

TRACEBACK_CHARS = 8_000


def letter(
    source: Source,
    value: bytes,
    record_time: datetime,
    now: datetime,
    *,
    reason: Reason,
    detail: str,
    store_id: StoreId | None = None,
    order_id: str | None = None,
    part: int | None = None,
    traceback: str | None = None,
) -> DeadLetter:
    """Make the letter of a record, or of one part of a search envelope (DESIGN 5).

    Of the bytes it carries a bounded head, and the length and hash of the whole. `now` is the unit's time.
    """
    return DeadLetter(
        dead_letter_id=uuid5(
            "dead-letter", source.topic, str(source.partition), str(source.offset), str(part or 0)
        ),
        reason=reason,
        detail=detail,
        source=source,
        record_time=record_time,
        processed_at=now,
        store_id=store_id,
        order_id=order_id,
        part=part,
        traceback=traceback,
        head=value[:HEAD_BYTES],
        length=len(value),
        sha256=sha256(value).hexdigest(),
        complete=len(value) <= HEAD_BYTES,
    )


def refused(
    error: ContractError,
    source: Source,
    value: bytes,
    record_time: datetime,
    now: datetime,
    store_id: StoreId | None,
) -> DeadLetter:
    """Make the letter of a record that breaks its contract."""
    return letter(
        source,
        value,
        record_time,
        now,
        reason=error.reason,
        detail=error.detail,
        store_id=store_id,
        order_id=error.order_id,
        part=error.part,
    )


def failed(
    fault: Exception,
    source: Source,
    value: bytes,
    record_time: datetime,
    now: datetime,
    store_id: StoreId | None,
    *,
    order_id: OrderId | None = None,
    part: int | None = None,
) -> DeadLetter:
    """Make the letter of a record on which our own rules failed, with the traceback."""
    return letter(
        source,
        value,
        record_time,
        now,
        reason="rule_failed",
        detail=f"{type(fault).__name__} in our own rules: see the traceback, and report it",
        store_id=store_id,
        order_id=order_id,
        part=part,
        traceback="".join(format_exception(fault))[-TRACEBACK_CHARS:],
    )
