"""The page on guarantees names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+(?:\.py)?(?:::\w+)?)`", PAGE)))
PROMISES = {f"S{number}" for number in range(1, 12)}


@cache
def functions_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_page_names_exists(name: str) -> None:
    file, _, function = name.partition("::")
    assert (ROOT / file).exists()
    assert not function or function in functions_in(file)


def test_every_promise_has_a_test() -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if re.match(r"\| S\d+ ", line)]
    assert {row[1].split()[0] for row in rows} == PROMISES
    assert all("::test_" in row[2] for row in rows)
