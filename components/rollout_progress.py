"""Follows a rollout while the smoke test waits for the models, and says how far it is.

In a thread: the engine needs the program's event loop meanwhile. It ends with the program, whatever
happens, and no failure of its own ends anything else.
"""

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Final

from components.kubernetes_client import UnreachableError
from components.live_ray_service import LiveRayService, RayServiceError
from rollouts import Progress

_POLL_SECONDS: Final = 3.0
_LAST_SECONDS: Final = 5.0


class Follower:
    """Follows one rollout.

    connect: the way to the service; it is called in the thread.
    say: tells people how far it is.
    """

    def __init__(
        self,
        connect: Callable[[], LiveRayService],
        say: Callable[[str], None],
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        self._connect = connect
        self._say = say
        self._poll_seconds = poll_seconds
        self._ended = threading.Event()
        self._silent = threading.Event()
        # Pulumi finds its engine by a variable of the context.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._run), name="rollout-progress", daemon=True
        )

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Says what the last look finds, and nothing more; returns within some seconds."""
        self._ended.set()
        self._thread.join(_LAST_SECONDS)
        self._silent.set()

    def _run(self) -> None:
        try:
            self._follow()
        except Exception:
            self._silent.set()

    def _follow(self) -> None:
        progress, started = Progress(), time.monotonic()
        lost = False
        service: LiveRayService | None = None
        is_last = False
        while not is_last:
            # The rollout may have ended since the last look.
            is_last = self._ended.is_set()
            lines: tuple[str, ...] = ()
            try:
                service = service or self._connect()
                state = service.state()
                if state is not None:
                    lines = progress.lines(service.seen(state), time.monotonic() - started)
                lost = False
            except (UnreachableError, RayServiceError) as error:
                lines = () if lost else (f"The rollout cannot be followed now: {error}",)
                lost = True
            for line in lines:
                if not self._silent.is_set():
                    self._say(line)
            self._ended.wait(self._poll_seconds)
