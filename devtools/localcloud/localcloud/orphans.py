"""End a process when the one that started it is gone.

An engine that is killed cannot stop its plugins, nor a test run its servers;
without this module they would run for ever.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time

_POLL_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


def end_when_parent_ends() -> None:
    """Ask Linux to end this process, but not its children, when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def exit_with_parent() -> None:
    """Watch the parent process from a thread and exit at once when it dies."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="exit-with-parent").start()
