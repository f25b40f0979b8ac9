"""One element of a search answer, byte for byte as it stands there."""

import json

from topics.decoders import wire

_JSON = json.JSONDecoder(
    strict=False,
    # Only the places matter: no number is too long, and none becomes another.
    parse_int=str,
    parse_float=str,
    parse_constant=str,
)
_SPACE = " \t\r\n"


def elements(value: bytes) -> list[bytes]:
    """Return the elements of `items` of a search answer; of several `items` the last counts, as in decoding.

    Raises ContractError or ValueError when it is not such a document.
    """
    text = wire.body(value).decode()
    at = _after(text, _past_space(text, 0), "{")
    found: list[bytes] | None = None
    while text[at : at + 1] != "}":
        name, at = _JSON.raw_decode(text, at)
        at = _after(text, _past_space(text, at), ":")
        if name == "items":
            found, at = _array(text, at)
        else:
            _, at = _JSON.raw_decode(text, at)
        at = _past_space(text, at)
        if text[at : at + 1] != "}":
            at = _after(text, at, ",")
    if found is None:
        raise ValueError("there is no list `items` in the record")
    return found


def _array(text: str, at: int) -> tuple[list[bytes], int]:
    found: list[bytes] = []
    at = _after(text, at, "[")
    while text[at : at + 1] != "]":
        _, end = _JSON.raw_decode(text, at)
        found.append(text[at:end].encode())
        at = _past_space(text, end)
        if text[at : at + 1] != "]":
            at = _after(text, at, ",")
    return found, at + 1


def _after(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign!r} is due at character {at}")
    return _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _SPACE:
        at += 1
    return at
