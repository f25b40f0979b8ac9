"""Numbers as records may hold them: finite, below 10^12 in size, at most 12 decimals (DOMAIN 2)."""

from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Underflow

from topics.errors import ContractError, shown

SIZE = Decimal(10) ** 12
DECIMALS = 12
ZERO = Decimal(0)
_FINEST = Decimal(1).scaleb(-DECIMALS)
_LOW = -SIZE

# Adding zero in this context passes every number of up to 13 digits and 12 decimals through unchanged, writes
# 1E+3 as 1000, and traps whatever it would have to round. One call instead of taking each number apart: an
# order has some twenty of them.
_QUICK = Context(prec=DECIMALS + 1, Emin=0, Emax=11, traps=[Inexact, InvalidOperation, Overflow, Underflow])
_WIDE = Context(prec=26, traps=[InvalidOperation, Overflow])
_add = _QUICK.add
_SMALL = tuple(Decimal(number) for number in range(1000))  # quantities, and most whole amounts


def exact(number: int | Decimal) -> Decimal:
    """Return the number within its limits, in plain notation; ContractError `bad_number` beyond them."""
    if not number:
        return ZERO
    if isinstance(number, int):
        return _SMALL[number] if 0 < number < len(_SMALL) else _careful(Decimal(number))
    try:
        if _LOW < number < SIZE:
            return _add(number, ZERO)
    except DecimalException:
        pass  # not a number, or more digits than the quick way takes
    return _careful(number)


def _careful(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise ContractError("bad_number", "not a finite number", value=shown(str(number)))
    if not _LOW < number < SIZE:
        raise ContractError("bad_number", "not below 10^12 in size", value=shown(number))
    cut = _WIDE.quantize(number, _FINEST)
    if cut != number:
        raise ContractError("bad_number", f"more than {DECIMALS} decimals", value=shown(number))
    return _WIDE.add(cut.normalize(_WIDE), ZERO)
