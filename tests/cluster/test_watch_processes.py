"""When a Ray pod of the local cluster ends, as `ray start --block` decides it; nothing runs here
but the watcher and shells in the place of Ray's processes."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.cluster.cluster import STANDINS
from tests.cluster.running import eventually

WATCHER = STANDINS / "watch_processes.py"


@contextlib.contextmanager
def watching(*commands: str) -> Iterator[subprocess.Popen[str]]:
    """The watcher with children that run these shell commands."""
    children = "".join(f"({command}) & watched+=($!);" for command in commands)
    script = f'{children} exec "{sys.executable}" -IS "{WATCHER}" "${{watched[@]}}"'
    watcher = subprocess.Popen(
        ["bash", "-c", script], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield watcher
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(watcher.pid, signal.SIGKILL)
        watcher.communicate()


@pytest.mark.parametrize(("end", "code"), [("exit 3", 3), ("kill -KILL $BASHPID", -9)])
def test_a_process_that_ends_badly_ends_the_pod(end: str, code: int) -> None:
    with watching("sleep 60", end) as watcher:
        assert watcher.wait(30) == 1
        assert watcher.stderr
        assert watcher.stderr.readline().endswith(f"has ended with {code}\n")


def test_processes_that_were_told_to_end_leave_the_pod(tmp_path: Path) -> None:
    """As a raylet that was drained: KubeRay deletes its pod, and makes no new one for it."""
    last = tmp_path / "last"
    with watching("exit 0", "kill -TERM $BASHPID", "exit 143", f"touch {last}") as watcher:
        eventually(last.exists, "all have ended", seconds=30)
        with pytest.raises(subprocess.TimeoutExpired):
            watcher.wait(2)
