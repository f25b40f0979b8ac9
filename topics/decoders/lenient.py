"""Fills a wire shape from any JSON that means the same: numbers as text, `[]` for an object, and the like.

A wire shape is a msgspec struct of the fields that are used, in the sender's spelling. The quick way decodes
bytes straight into it; this is the other way, for records that msgspec refuses or whose text must be mended.
It has the last word: what is refused is refused here, with the field's path (DOMAIN 2).
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

from topics.errors import ContractError, shown
from topics.numbers import exact

Shape = TypeVar("Shape", bound=msgspec.Struct)

Text = str | None
Id = str | int | None
Number = int | Decimal | None
"""Text that is a number is one, too."""
Flag = bool | None
Whole = int | None
Stamp = int | float | None
Mark = str | bool | int | None
"""Set or not, whatever it holds: `deleted_at`."""

MAX_WHOLE = 2**63 - 1
_MOST_DIGITS = 4300  # that Python makes text of; the limits of ids are far below

_BROKEN = re.compile(r"[\x00\ud800-\udfff]")
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "off", "0", "n", "f"})

Mended = list[str]
Read = Callable[[Any, str, Mended], Any]


def mend(text: str, path: str, mended: Mended) -> str:
    """Take NUL out of the text and put U+FFFD for lone surrogates; note the field where that was needed."""
    if not _BROKEN.search(text):
        return text
    mended.append(path)
    return _BROKEN.sub("\ufffd", text.replace("\0", ""))


def refuse(path: str, wanted: str, value: object) -> ContractError:
    return ContractError("wrong_type", f"{wanted} is due", field=path, value=shown(value))


def _plain(number: int | Decimal, path: str) -> str:
    if isinstance(number, int):
        return str(number)
    if not number.is_finite():
        raise ContractError("bad_number", "not a finite number", field=path, value=shown(str(number)))
    if abs(number.adjusted()) >= _MOST_DIGITS or len(number.as_tuple().digits) > _MOST_DIGITS:
        raise ContractError("too_long", "too many digits", field=path, value=shown(number))
    return format(number.to_integral_value() if number == number.to_integral_value() else number, "f")


def text(value: Any, path: str, mended: Mended) -> Text:
    if value is None:
        return None
    if isinstance(value, str):
        return mend(value, path, mended)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _plain(value, path)
    raise refuse(path, "text", value)


def identity(value: Any, path: str, mended: Mended) -> Id:
    if isinstance(value, str):
        return mend(value, path, mended)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, Decimal):
        return _plain(value, path)
    raise refuse(path, "an id", value)


def number(value: Any, path: str, _mended: Mended) -> Number:
    if value is None or (isinstance(value, str) and not value.strip(" \t\r\n\0")):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise refuse(path, "a number", value)
    try:
        return exact(Decimal(value))
    except InvalidOperation:
        raise ContractError("bad_number", "not a number", field=path, value=shown(value)) from None
    except ContractError as error:
        error.field, error.value = path, shown(value)
        raise


def whole(value: Any, path: str, mended: Mended) -> Whole:
    if isinstance(value, int) and not isinstance(value, bool):
        found: int | None = value
    elif isinstance(value, str | Decimal) and not (isinstance(value, str) and not value.strip()):
        try:
            many = Decimal(value)
        except InvalidOperation:
            raise ContractError("bad_number", "not a number", field=path, value=shown(value)) from None
        if not many.is_finite() or abs(many.adjusted()) > 20 or many != many.to_integral_value():
            raise ContractError("bad_number", "a whole number is due", field=path, value=shown(value))
        found = int(many)
    elif value is None or isinstance(value, str):
        found = None
    else:
        raise refuse(path, "a whole number", value)
    if found is not None and abs(found) > MAX_WHOLE:
        raise ContractError("bad_number", "beyond 64 bits", field=path, value=shown(value))
    return found


def stamp(value: Any, path: str, mended: Mended) -> Stamp:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str | Decimal):
        raise refuse(path, "a timestamp", value)
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise ContractError("bad_date", "not a timestamp", field=path, value=shown(value)) from None
    if not found.is_finite() or found.copy_abs() > 10**18:  # abs() would round, and so may overflow
        raise ContractError("bad_date", "not a point in time", field=path, value=shown(value))
    return int(found) if found == found.to_integral_value() else float(found)


def flag(value: Any, path: str, _mended: Mended) -> Flag:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if not word:
            return None
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    elif isinstance(value, int | Decimal) and value in (0, 1):
        return bool(value)
    raise refuse(path, "true or false", value)


def mark(value: Any, path: str, mended: Mended) -> Mark:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return mend(value, path, mended)
    if isinstance(value, Decimal):
        return bool(value)
    raise refuse(path, "a date", value)


def absent(value: Any) -> bool:
    """Tell whether an object is absent: null, or the empty list that some middleware writes for it."""
    return value is None or value == []


_LEAVES: dict[frozenset[type], Read] = {
    frozenset({str}): text,
    frozenset({str, int}): identity,
    frozenset({int, Decimal}): number,
    frozenset({bool}): flag,
    frozenset({int}): whole,
    frozenset({int, float}): stamp,
    frozenset({str, bool, int}): mark,
}


def members(annotation: Any) -> list[Any]:
    """Return what a field's type may be, without None."""
    found = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return [kind for kind in found if kind is not NoneType]


def _as_it_is(value: Any, _path: str, _mended: Mended) -> Any:
    return value


def _reader(annotation: Any) -> Read:
    if annotation is Any:
        return _as_it_is
    kinds = members(annotation)
    if read := _LEAVES.get(frozenset(kind for kind in kinds if isinstance(kind, type))):
        return read
    shapes = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    if len(kinds) == 1 and get_origin(kinds[0]) is list:
        (element,) = get_args(kinds[0])
        return _list(_reader(element))
    if len(shapes) == 1 and len(kinds) == 1:
        return _object(shapes[0])
    if len(shapes) == 1 and set(kinds) == {shapes[0], int, Decimal}:
        return _object(shapes[0], otherwise=number)
    if len(shapes) == 1 and set(kinds) == {shapes[0], str}:
        return _object(shapes[0], otherwise=text)
    raise TypeError(f"no lenient reading of {annotation}")


def _list(read: Read) -> Read:
    def read_list(value: Any, path: str, mended: Mended) -> Any:
        if value is None:
            return None
        if value == {}:  # the empty map that some middleware writes for an empty list
            return []
        if not isinstance(value, list):
            raise refuse(path, "a list", value)
        return [read(element, f"{path}[{place}]", mended) for place, element in enumerate(value)]

    return read_list


def _object(shape: type[msgspec.Struct], otherwise: Read | None = None) -> Read:
    fields: list[tuple[str, str, Read]] = []

    def read_object(value: Any, path: str, mended: Mended) -> Any:
        if absent(value):
            return None
        if not isinstance(value, dict):
            if otherwise is not None and not isinstance(value, list):
                return otherwise(value, path, mended)
            raise refuse(path, "an object", value)
        start = f"{path}." if path else ""
        return shape(
            **{
                name: read(value[spelling], start + spelling, mended)
                for name, spelling, read in fields
                if spelling in value
            }
        )

    fields.extend((f.name, f.encode_name, _reader(f.type)) for f in msgspec.structs.fields(shape))
    return read_object


def filler(shape: type[Shape]) -> Callable[[Any, Mended], Shape]:
    """Return the function that fills the shape from parsed JSON, noting the fields it mended."""
    read = _object(shape)

    def fill(tree: Any, mended: Mended) -> Shape:
        if isinstance(tree, dict):
            filled: Shape = read(tree, "", mended)
            return filled
        raise ContractError("wrong_type", "an object is due", value=shown(tree))

    return fill
