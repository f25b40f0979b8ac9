"""Ends this process when the one that started it has ended, however that ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

from streams.runtime.errors import ExitCode

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 0.5


def exit_with_parent() -> None:
    """From now on this process does not outlive its parent.

    Linux kills it at once; elsewhere (and if that is refused) a thread looks twice a second. Killed, not
    asked: a worker may be killed at any time, and nobody is left to wait for it.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(ExitCode.INTERRUPTED)
