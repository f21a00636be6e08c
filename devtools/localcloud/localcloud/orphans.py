"""End a plugin process when the engine that started it is gone.

An engine that is killed cannot stop its plugins; without this module they
would run for ever.
"""

from __future__ import annotations

import os
import threading
import time

_POLL_SECONDS = 0.5


def exit_with_parent() -> None:
    """Watch the parent process from a thread and exit at once when it dies."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="exit-with-parent").start()
