"""The cluster's processes: started in the background and never left behind.

Every process and its children have the cluster's mark in their environment.
Stopping the cluster therefore finds all of them, including those that detached
themselves or whose parent was killed.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from localcloud.orphans import end_when_parent_ends

MARK = "RAY_LLM_LOCAL_CLUSTER"


async def start(
    argv: Sequence[str | Path],
    *,
    mark: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start a process in a new session and append its output to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *map(str, argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**(os.environ if env is None else env), MARK: mark},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=end_when_parent_ends if sys.platform == "linux" else None,
        )


def marked(mark: str, **variables: str) -> list[psutil.Process]:
    """All running processes of this user that have the mark, except this process.

    With `variables`, only those whose environment has these values too.
    """
    wanted = {MARK: mark, **variables}.items()
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and wanted <= process.environ().items():
                found.append(process)
    return found


def stop(processes: Iterable[psutil.Process], *, grace_seconds: float = 5) -> int:
    """Terminate processes, then kill those that are left after the grace period.

    Returns how many had to be killed.
    """
    alive = [process for process in processes if _is_alive(process)]
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    alive = _wait(alive, grace_seconds)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _wait(alive, 5)
    return len(alive)


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _wait(alive: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait without reaping, which the event loop does; returns the remaining processes."""
    deadline = time.monotonic() + seconds
    while (alive := [p for p in alive if _is_alive(p)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    return alive


def last_lines(log: Path, count: int = 3) -> str:
    """The end of a log for an error message; empty if there is no log."""
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").splitlines()
        return " | ".join(line.strip()[:300] for line in lines[-count:])
    return ""
