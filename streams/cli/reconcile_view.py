"""How `tillstream reconcile` shows differences, corrections, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from streams.cli.history import print_json, print_table

if TYPE_CHECKING:
    from streams.reconcile.compensation import Planned
    from streams.reconcile.difference import Difference
    from streams.reconcile.look import Seen
    from streams.reconcile.sending import Sent

MANY = 200
"""Corrections beyond which the table as a whole may be what is wrong."""


def as_json(each: Difference) -> dict[str, Any]:
    import msgspec

    built: dict[str, Any] = msgspec.to_builtins(each)
    return built | {"goes_by_itself": each.passes}


def print_differences(seen: Seen, found: Sequence[Difference]) -> None:
    from streams.reconcile.difference import REMEDIES

    print_table(
        "differences",
        ("cause", "SKU", "outlet", "order", "what", "what to do"),
        (
            (
                each.cause, each.sku or each.product_id, each.outlet_id, each.order_id, each.text,
                REMEDIES[each.remedy],
            )
            for each in found
        ),
    )  # fmt: skip
    stay = sum(not each.passes for each in found)
    typer.echo(
        f"{len(seen.table.keys())} levels and {len(seen.sold.last)} sales looked at;"
        f" {stay} differences that do not go by themselves"
    )


def show_plan(planned: Sequence[Planned], *, json: bool) -> None:
    if json:
        print_json({"applied": False, "corrections": planned})
        return
    _print_plan(planned)
    if planned:
        typer.echo(f"{len(planned)} corrections; nothing was changed: --apply --why … writes them")
    if len(planned) > MANY:
        typer.echo(
            "So many levels are wrong at once: `tillstream tables rebuild` may be what is needed instead"
        )


def _print_plan(planned: Sequence[Planned]) -> None:
    print_table(
        "corrections to write",
        ("SKU", "product", "outlet", "now", "then", "why"),
        (
            (
                each.sku, each.correction.product_id, each.correction.outlet_id, each.now, each.then,
                each.causes,
            )
            for each in planned
        ),
    )  # fmt: skip


def show_sent(sent: Sequence[Sent], *, json: bool) -> None:
    if json:
        print_json({"applied": True, "corrections": sent})
        return
    print_table(
        "corrections",
        ("product", "outlet", "record", "outcome", "revision", "detail"),
        (
            (
                one.product_id, one.outlet_id, f"stock.corrections/{one.partition}@{one.offset}", one.outcome,
                one.revision or "", one.detail,
            )
            for one in sent
        ),
    )  # fmt: skip
    if any(one.outcome == "not decided yet" for one in sent):
        typer.echo(
            "The stock worker has not decided all: it does as soon as it runs, unless the level moves before"
        )
