"""What one command costs: wall time, processor time and memory of all of its processes.

Processor time counts wherever it is spent. The measuring process becomes the parent of every
process of the command whose own parent ends (Linux' child subreaper), so that the kernel adds up
the time of all of them, to the microsecond. A fork server runs some processes of a command as its
own children; the kernel adds up their time in the server, in steps of 10 ms.

Not counted are processes whose parent ignores the end of its children, and the servers that a
command talks to, such as a cluster's API server: a user's machine does not run them.
"""

import contextlib
import ctypes
import os
import resource
import statistics
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# A reading of all processes takes some milliseconds of a core.
_POLL_SECONDS = 0.1
# A provider that lost its engine notices within half a second.
_LEFT_OVER_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One run of a command: seconds of wall and processor time, and MiB at the peak.

    The memory is that of all processes together; pages that they share count once.
    """

    wall: float
    processor: float
    peak_mib: float


@dataclass(frozen=True)
class Spread:
    """The median of some figures, the smallest and the largest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """The spread of at least one figure."""
        return cls(statistics.median(figures), min(figures), max(figures))

    def text(self, digits: int) -> str:
        """`1.2 (1.1 to 1.4)`, or the figure alone if all are the same."""
        if self.low == self.high:
            return f"{self.middle:.{digits}f}"
        return f"{self.middle:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def ratios(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    """Our figure of each round by the other's figure of the same round."""
    return [a / b for a, b in zip(ours, others, strict=True)]


def measured(
    start: Callable[[], "subprocess.Popen[str]"], fork_server: int | None = None
) -> tuple[Cost, int, str]:
    """Run a command to its end; returns its cost, its exit code and its output.

    `start` starts it from this process, which may have no other children that end meanwhile.
    `fork_server` is the process id of a server that runs some of its processes.
    """
    _adopt_orphans()
    servers = () if fork_server is None else (fork_server,)
    roots = (os.getpid(), *servers)
    before = descendants(parents(), roots)
    used, forked = _reaped_seconds(), _server_seconds(servers)
    began = time.perf_counter()
    process = start()
    with _peak(lambda: descendants(parents(), roots) - before) as peak:
        output, errors = process.communicate()
        wall = time.perf_counter() - began
    _await_left_over(roots, before)
    processor = _reaped_seconds() - used + _server_seconds(servers) - forked
    cost = Cost(wall=wall, processor=processor, peak_mib=max(peak, default=0) / 1024)
    return cost, process.returncode, output + errors


def parents(proc: Path = PROC) -> dict[int, int]:
    """The parent of each process."""
    found = {}
    for name in os.listdir(proc):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                found[int(name)] = int(_stat(int(name), proc)[1])
    return found


def descendants(parent_of: Mapping[int, int], roots: Collection[int]) -> set[int]:
    """The processes below these roots, without the roots."""
    children: dict[int, list[int]] = {}
    for pid, parent in parent_of.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    pending = list(roots)
    while pending:
        new = set(children.get(pending.pop(), ())) - found
        found |= new
        pending += new
    return found - set(roots)


def spent_seconds(pid: int, proc: Path = PROC) -> float:
    """Processor time of a process and of all of its children that have ended."""
    return sum(map(int, _stat(pid, proc)[11:15])) / _TICKS_PER_SECOND


def proportional_kib(pid: int, proc: Path = PROC) -> int:
    """A process's own memory and its part of shared memory (PSS); 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in (proc / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _stat(pid: int, proc: Path) -> list[str]:
    """The fields of a process's stat after its name, which may contain spaces and brackets."""
    return (proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _adopt_orphans() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this system has no child subreaper; Linux is needed")


def _reaped_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _server_seconds(servers: Sequence[int]) -> float:
    return sum(spent_seconds(pid) for pid in servers)


@contextlib.contextmanager
def _peak(processes: Callable[[], set[int]]) -> Iterator[list[int]]:
    """Sample the memory of processes while the body runs; the yielded list has all samples."""
    samples: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            samples.append(sum(proportional_kib(pid) for pid in processes()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield samples
    finally:
        done.set()
        watcher.join()


def _await_left_over(roots: Sequence[int], before: Collection[int]) -> None:
    """Wait for the end of what the command left behind, so that its time is counted."""
    deadline = time.monotonic() + _LEFT_OVER_SECONDS
    while left := descendants(parents(), roots) - set(before):
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > deadline:
            raise TimeoutError(f"the command left {len(left)} processes that do not end: {left}")
        time.sleep(_POLL_SECONDS)
