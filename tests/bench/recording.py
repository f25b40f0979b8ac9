"""What every measurement by hand does around its measuring: a stack of its own, and its result in a file."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import msgspec

from deploy.local.stack import Stack
from streams import log
from tests.bench.telling import Lines

Result = TypeVar("Result", bound=msgspec.Struct)


def recorded(measure: Callable[[Stack, Lines], Coroutine[None, None, Result]], to: Path) -> Result:
    """Measure on a stack that is there for this alone, write the result as JSON, and return it."""
    log.silence_clients()
    with Stack.ephemeral() as stack:
        stack.up(attached=True)
        result = asyncio.run(measure(stack, Lines()))
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    return result
