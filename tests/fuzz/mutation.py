"""Near-contract records: a payload with some of its parts replaced, repeated, moved, nested or cut."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.fuzz.corpus import HOSTILE_NUMBERS, HOSTILE_TEXT, words
from topics.registry import INPUT_BYTES

WORDS = tuple(words())
DEEP = (5, 60, 400, 2000)
LONG = (20, 20, 300, 300, 5_000)
MANY = (1, 1, 3, 3, 40)
VERY = 0.002
"""How often something is very long, or very often there."""


def mutated(value: bytes, random: Random) -> bytes:
    """Return a payload like this one, in which something is not as it should be."""
    try:
        tree = json.loads(value)
    except (ValueError, RecursionError):
        return _cut(value, random)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        tree = _changed(tree, random)
    try:
        text = json.dumps(tree, ensure_ascii=random.random() < 0.7)
    except (ValueError, RecursionError):
        return value
    if random.random() < 0.03:
        text = text.replace("true", random.choice(("1e999999", "NaN", "0e-99999999", "1" * 5000)), 1)
    found = text.encode("utf-8", "surrogatepass")
    if len(found) > INPUT_BYTES:
        return value  # more than a broker takes
    return _cut(found, random) if random.random() < 0.05 else found


def _changed(tree: Any, random: Random) -> Any:
    """Change one place of the tree, most often deep down."""
    if isinstance(tree, dict) and tree and random.random() < 0.85:
        name = random.choice(list(tree))
        what = random.random()
        if what < 0.6:
            return tree | {name: _changed(tree[name], random)}
        if what < 0.75:
            return {key: inner for key, inner in tree.items() if key != name}
        if what < 0.9:
            return tree | {random.choice(WORDS): tree[name]}
        return tree | {random.choice(WORDS): _anything(random)}
    if isinstance(tree, list) and tree and random.random() < 0.85:
        at = random.randrange(len(tree))
        what = random.random()
        if what < 0.7:
            return [*tree[:at], _changed(tree[at], random), *tree[at + 1 :]]
        if what < 0.8:
            return tree[:at] + tree[at + 1 :]
        return tree[:at] + [tree[at]] * _many(random) + tree[at:]
    return _anything(random, tree)


def _anything(random: Random, instead_of: Any = None) -> Any:
    what = random.randrange(12)
    if what < 3:
        return random.choice(HOSTILE_NUMBERS)
    if what < 6:
        return random.choice(HOSTILE_TEXT)
    if what == 6:
        return random.choice((None, True, False, [], {}, [[]], [None], {"value": None}))
    if what == 7:
        return str(instead_of) if isinstance(instead_of, int | float) else [instead_of]
    if what == 8:
        return random.choice("ax9 é") * (60_000 if random.random() < VERY else random.choice(LONG))
    if what == 9:
        return {random.choice(WORDS): random.choice(HOSTILE_TEXT) for _ in range(_many(random))}
    if what == 10:
        nested: Any = instead_of
        for _ in range(random.choice(DEEP) if random.random() < 0.2 else 3):
            nested = [nested] if random.random() < 0.5 else {random.choice(WORDS): nested}
        return nested
    return random.randrange(-5, 10) if random.random() < 0.5 else round(random.uniform(-20, 20), 3)


def _many(random: Random) -> int:
    return 300 if random.random() < VERY else random.choice(MANY)


def _cut(value: bytes, random: Random) -> bytes:
    """Damage the bytes themselves."""
    if not value:
        return bytes([random.randrange(256)])
    at = random.randrange(len(value))
    what = random.randrange(4)
    if what == 0:
        return value[:at]
    if what == 1:
        return value[:at] + bytes([random.randrange(256)]) + value[at + 1 :]
    if what == 2:
        return value[:at] + value[at:] * 2
    return value[at:] + value[:at]
