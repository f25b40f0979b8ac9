"""What one revision of a sale changed, in words and without personal data."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from topics.sales import Allocation, LineComponent, Sale, SaleLine

_FIELDS = (
    ("state", "state"),
    ("payment_status", "payment status"),
    ("fulfillment_status", "fulfilment status"),
    ("total", "total"),
    ("amount_paid", "paid"),
    ("refunded", "given back"),
    ("customer", "customer"),
    ("pos_sale_id", "sale in the POS"),
    ("pinned_outlet_id", "promised outlet"),
)
_PIECES = ("quantity", "fulfilled", "cancelled", "withdrawn", "returned", "unallocated")
Part = SaleLine | LineComponent


def changes(before: Sale | None, after: Sale) -> list[str]:
    """Say what a revision changed; of the first one, what there is."""
    return list(_first(after) if before is None else _between(before, after))


def _first(sale: Sale) -> Iterator[str]:
    yield (
        f"{sale.state}, {len(sale.lines)} lines, total {sale.total} {sale.currency},"
        f" {'paid' if sale.paid else f'{sale.amount_paid} paid'}, customer {sale.customer.customer_id}"
    )
    for line in sale.lines:
        for part, name in _parts(line):
            where = _where(part.allocations)
            rest = f", {part.unallocated:f} unallocated" if part.unallocated else ""
            yield f"{name}: {part.quantity:f}{f', {where}' if where else ''}{rest}"
    yield from (f"flag {flag.kind}: {flag.detail}" for flag in sale.flags)


def _between(before: Sale, after: Sale) -> Iterator[str]:
    for field, name in _FIELDS:
        old, new = _shown(getattr(before, field)), _shown(getattr(after, field))
        if old != new:
            yield f"{name}: {old} → {new}"
    yield from _sets("attribute", before.attributes, after.attributes)
    yield from _sets(
        "payment",
        (f"{each.amount} {each.name} ({each.kind})" for each in before.payments),
        (f"{each.amount} {each.name} ({each.kind})" for each in after.payments),
    )
    yield from _lines(before, after)
    yield from _sets(
        "fulfilment",
        (f"{each.outlet_id} {each.type} {each.state}" for each in before.fulfillments),
        (f"{each.outlet_id} {each.type} {each.state}" for each in after.fulfillments),
    )
    yield from _sets(
        "return",
        (f"{each.return_id} {each.state}" for each in before.returns),
        (f"{each.return_id} {each.state}" for each in after.returns),
    )
    yield from _sets(
        "refund",
        (f"{each.amount} {each.method}{' voided' if each.voided else ''}" for each in before.refunds),
        (f"{each.amount} {each.method}{' voided' if each.voided else ''}" for each in after.refunds),
    )
    yield from _sets(
        "flag",
        (f"{flag.kind}: {flag.detail}" for flag in before.flags),
        (f"{flag.kind}: {flag.detail}" for flag in after.flags),
    )


def _shown(value: object) -> str:
    customer_id = getattr(value, "customer_id", None)
    if customer_id is not None:
        return str(customer_id)
    return "none" if value is None else str(value)


def _sets(name: str, before: Iterable[str], after: Iterable[str]) -> Iterator[str]:
    old, new = list(before), list(after)
    yield from (f"{name} - {each}" for each in old if each not in new)
    yield from (f"{name} + {each}" for each in new if each not in old)


def _lines(before: Sale, after: Sale) -> Iterator[str]:
    old = {name: part for line in before.lines for part, name in _parts(line)}
    new = {name: part for line in after.lines for part, name in _parts(line)}
    yield from (f"{name} - {part.quantity:f}" for name, part in old.items() if name not in new)
    for name, part in new.items():
        known = old.get(name)
        if known is None:
            where = _where(part.allocations)
            yield f"{name} + {part.quantity:f}{f', {where}' if where else ''}"
            continue
        parts = [
            f"{field} {_number(getattr(known, field))} → {_number(getattr(part, field))}"
            for field in _PIECES
            if getattr(known, field) != getattr(part, field)
        ]
        if _where(known.allocations) != _where(part.allocations):
            parts.append(
                f"{_where(known.allocations) or 'nowhere'} → {_where(part.allocations) or 'nowhere'}"
            )
        if parts:
            yield f"{name}: {', '.join(parts)}"


def _parts(line: SaleLine) -> Iterator[tuple[Part, str]]:
    """Yield what is allocated of a line, with a name: the line itself, or the parts of a bundle."""
    name = f"line {line.line_id} {line.sku}"
    if not line.components:
        yield line, name
        return
    yield from ((part, f"{name} / {part.sku}") for part in line.components)


def _where(allocations: Iterable[Allocation]) -> str:
    return ", ".join(_allocation(one) for one in allocations)


def _allocation(one: Allocation) -> str:
    more = [
        f"{number:f} {name}"
        for number, name in ((one.backordered, "backordered"), (one.taken, "taken over"))
        if number
    ]
    return f"{one.quantity:f} at {one.outlet_id}" + (f" ({', '.join(more)})" if more else "")


def _number(number: Decimal) -> str:
    return f"{number:f}"
