"""Cancellations that a client library has forgotten."""

import asyncio


def heed_cancellation() -> None:
    """Raise CancelledError in a task that was asked to end and goes on.

    On Python 3.11 `asyncio.wait_for`, which the clients use, forgets a cancellation that meets its result:
    Ctrl-C would be without effect. For loops that wait for a client again and again.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
