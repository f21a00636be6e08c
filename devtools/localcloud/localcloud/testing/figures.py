"""Measurements that the tests make: seconds, GiB, requests sent and lost."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

# Measuring hundreds of processes takes a CPU second.
MEMORY_EVERY_SECONDS = 30.0


class Figures:
    """Collects rows, each with a name and a value with its unit."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        self.rows = rows

    def add(self, name: str, value: str) -> None:
        self.rows.append((name, value))

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record how long the body takes, unless it fails."""
        started = time.monotonic()
        yield
        self.add(name, f"{time.monotonic() - started:.0f} s")

    @contextlib.contextmanager
    def peak_memory(self, name: str, read: Callable[[], int]) -> Iterator[None]:
        """Record the largest amount of memory that `read` returns while the body runs."""
        ended = threading.Event()
        peak = 0

        def watch() -> None:
            nonlocal peak
            while not ended.wait(MEMORY_EVERY_SECONDS):
                peak = max(peak, read())

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.add(name, f"{peak / 2**30:.1f} GiB")


def table(rows: list[tuple[str, str]]) -> str:
    """The rows as an aligned text table."""
    width = max(len(name) for name, _ in rows)
    return "".join(f"{name:{width}}  {value}\n" for name, value in rows)
