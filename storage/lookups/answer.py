"""What answers have in common."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row or a document for people and scripts."""


to_json: Callable[[Any], bytes] = msgspec.json.Encoder(decimal_format="number").encode
"""Encode answers: their decimals are quantities and become numbers, exact; their money is text already."""


def quantity(value: Decimal) -> Decimal:
    """Return a quantity without exponent and superfluous zeros: 1E+3 is 1000, 1.250 is 1.25."""
    return Decimal(format(value.normalize(), "f"))


def money(value: Decimal) -> str:
    """Return an amount as text, in the precision that it was recorded with."""
    return format(value, "f")
