"""The corrections that put a store's levels right: what each level should be, and the way there."""

from collections.abc import Iterable

import msgspec

from streams.domain.state import Level
from streams.reconcile.compare import NO_COUNTS, Filed, expected
from streams.reconcile.difference import Difference
from streams.reconcile.look import Seen
from streams.reconcile.standing import LevelKey, Standing
from streams.reconcile.table import standing
from topics.corrections import Correction, LedgerLevel
from topics.ids import OutletId, ProductId, uuid5
from topics.numbers import ZERO

_REPAIRED = frozenset({"compensate", "publish"})
NO_LEVEL = Level()
REFUSED_BEFORE = "refused_before"
"""Nothing is wrong with the level any more: a correction of nothing closes the exception of one refused."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A correction, the level as the table has it, and as it will be; `causes` are why."""

    correction: Correction
    sku: str
    now: Standing
    then: Standing
    causes: list[str]


def plan(
    seen: Seen, found: Iterable[Difference], filed: Filed, *, reason: str, operator: str
) -> list[Planned]:
    """Return the corrections that end the differences in stock; those in Postgres are ended by a replay.

    What is on hand becomes what the point of sale says (the file, else the last count), what is allocated
    what the sales hold, and what awaits its count what the movements say.
    """
    causes: dict[LevelKey, list[str]] = {}
    for difference in found:
        if difference.remedy in _REPAIRED and difference.product_id and difference.outlet_id:
            key = (ProductId(difference.product_id), OutletId(difference.outlet_id))
            # A level that nobody knows begins with a count, which also says what the product is called.
            if seen.table.level(key) is not None or key in seen.ledgers:
                causes.setdefault(key, []).append(difference.cause)
    for key in seen.table.keys() - causes.keys():
        if f"level/{key[0]}/{key[1]}" in seen.rows.refusals:
            causes[key] = [REFUSED_BEFORE]
    planned = []
    for key, why in causes.items():
        correction = _correction(seen, key, filed, why, reason, operator)
        if correction is not None:
            now = standing(seen.table.level(key) or NO_LEVEL)
            then = now.plus(Standing(correction.on_hand, correction.allocated, correction.awaiting))
            sku = seen.table.sku(key[0]) or (seen.ledgers[key].sku if key in seen.ledgers else "")
            planned.append(Planned(correction=correction, sku=sku, now=now, then=then, causes=why))
    return planned


def _correction(
    seen: Seen, key: LevelKey, filed: Filed, causes: list[str], reason: str, operator: str
) -> Correction | None:
    level = seen.table.level(key) or NO_LEVEL
    now, should = standing(level), _should_be(seen, key, filed, causes)
    change = should.less(now)
    ledger = _ledger(seen, key, level)
    if not any(change) and ledger is None and REFUSED_BEFORE not in causes:
        return None
    product_id, outlet_id = key
    # The same correction of the same level has the same id: sent twice, it applies once.
    own_id = uuid5(
        "correction", seen.store_id, product_id, outlet_id, str(level.revision), str(change), str(ledger)
    )
    return Correction(
        correction_id=own_id,
        product_id=product_id,
        outlet_id=outlet_id,
        revision=level.revision,
        on_hand=change.on_hand,
        allocated=change.allocated,
        awaiting=change.awaiting,
        ledger=ledger,
        reason=reason,
        operator=operator,
    )


def _should_be(seen: Seen, key: LevelKey, filed: Filed, causes: list[str]) -> Standing:
    level, ledger = seen.table.level(key) or NO_LEVEL, seen.ledgers.get(key)
    told = standing(level) if ledger is None else ledger.after
    counted = expected(seen.counts.levels.get(key, NO_COUNTS), ledger, told.on_hand)
    if "count_missing" in causes and key in filed:
        on_hand = filed[key].level
    else:
        on_hand = told.on_hand if counted is None or _counts_say_nothing(seen, key) else counted
    allocated = seen.sold.promised.get(key, ZERO) if seen.whole else told.allocated
    return Standing(on_hand, allocated, told.awaiting)


def _counts_say_nothing(seen: Seen, key: LevelKey) -> bool:
    """Say whether the counts on the topic are older than the one that applies."""
    level, count = seen.table.level(key), seen.counts.levels.get(key, NO_COUNTS).applied
    if level is None or count is None:
        return level is None and count is None
    return level.version is not None and count.version is not None and count.version < level.version


def _ledger(seen: Seen, key: LevelKey, level: Level) -> LedgerLevel | None:
    """Return what the movements come to, where that is not the level."""
    ledger = seen.ledgers.get(key)
    revision = 0 if ledger is None else ledger.revision
    sums = Standing() if ledger is None else ledger.sums
    if (revision, sums) == (level.revision, standing(level)) or (ledger is None and not seen.whole):
        return None
    return LedgerLevel(
        revision=revision, on_hand=sums.on_hand, allocated=sums.allocated, awaiting=sums.awaiting
    )
