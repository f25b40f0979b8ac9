"""Runs a worker whose clock is off: `python -m deploy.chaos.clock SECONDS worker stock …`.

What the worker asks for the time of day is put off by so much, in its own code and in its libraries'. Its
timers, the broker's clock and Postgres' stay right.
"""

import datetime
import importlib
import sys
import time
from typing import Any

ASKING = (
    "streams.runtime.unit",
    "streams.runtime.history",
    "storage.growth.making",
    "storage.rows.dead_letters",
)
"""The modules that ask `datetime` for the time of day; all others ask `time.time`."""


def put_off(seconds: float) -> None:
    """From now on the time of day is so many seconds later than it is; earlier, if negative."""
    real, off = time.time, datetime.timedelta(seconds=seconds)
    time.time = lambda: real() + seconds

    class Off(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return datetime.datetime.now(tz) + off

    for name in ASKING:
        importlib.import_module(name).datetime = Off  # type: ignore[attr-defined]


if __name__ == "__main__":
    put_off(float(sys.argv.pop(1)))
    from streams.cli import main

    main()
