"""Sends requests at a steady rate while something else happens, and counts all of them."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, cycle

from tests.cluster.running import Cluster

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Lost:
    """A request with no answer or a wrong one."""

    model: str
    seconds: float
    status: int
    text: str


@dataclass
class Load:
    """Chats with models in turn, through a port-forward or through the Service's name.

    A request counts as lost unless its answer is 200 with exactly the expected words. No request
    is retried, although OpenAI's own clients do so.
    """

    cluster: Cluster
    models: tuple[str, ...]
    per_second: float = 4.0
    at_once: int = 32
    by_name: bool = False
    timeout: float = TIMEOUT_SECONDS
    sent: int = 0
    lost: list[Lost] = field(default_factory=list)
    slowest: float = 0.0
    sent_to: Counter[str] = field(default_factory=Counter)
    slowest_of: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def lost_of(self, *models: str) -> list[Lost]:
        return [lost for lost in self.lost if lost.model in models]

    def summary(self) -> str:
        return f"{self.sent} sent, {len(self.lost)} lost"

    def _run(self) -> None:
        numbers, models = count(), cycle(self.models)
        # Leaving the pool waits for the outstanding answers.
        with ThreadPoolExecutor(self.at_once) as pool:
            while not self._ended.wait(1 / self.per_second):
                model = next(models)
                self.sent += 1
                self.sent_to[model] += 1
                pool.submit(self._ask, model, f"number {next(numbers)}")

    def _ask(self, model: str, text: str) -> None:
        asked = time.monotonic()
        try:
            answer = self.cluster.chat(
                model, model, text, timeout=self.timeout, by_name=self.by_name
            )
        except OSError as error:
            answer = (0, repr(error))
        seconds = time.monotonic() - asked
        self.slowest = max(self.slowest, seconds)
        self.slowest_of[model] = max(self.slowest_of.get(model, 0.0), seconds)
        if answer != (200, f"{model}: {text}"):
            self.lost.append(Lost(model, asked - self._started, *answer))
