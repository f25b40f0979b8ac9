"""What all properties need: a process without leftovers of other tests."""

import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def no_leftovers() -> None:
    """Collect what earlier tests of this process left.

    hypothesis parses source, which in Python 3.11 fails when a collection in its midst has a traceback
    logged, for that parses source too ("AST constructor recursion depth mismatch").
    """
    gc.collect()
