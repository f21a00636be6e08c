"""When a Ray pod of the local cluster ends, by the rules of `ray start --block`.

Only the watcher runs here, with shells in place of Ray's processes.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.cluster.ray_environments import STANDINS
from localcloud.testing.running_cluster import eventually

WATCHER = STANDINS / "watch_processes.py"
# Starts children and becomes their watcher, as `ray start` does. A shell would reap a child that
# ends at once before it becomes the watcher.
START = """
import os, subprocess, sys
watcher, *commands = sys.argv[1:]
children = [subprocess.Popen(["bash", "-c", command]) for command in commands]
os.execv(sys.executable, [sys.executable, "-IS", watcher, *(str(c.pid) for c in children)])
"""


@contextlib.contextmanager
def watching(*commands: str) -> Iterator[subprocess.Popen[str]]:
    """The watcher with children that run these shell commands."""
    watcher = subprocess.Popen(
        [sys.executable, "-c", START, WATCHER, *commands],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield watcher
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(watcher.pid, signal.SIGKILL)
        watcher.communicate()


@pytest.mark.parametrize(("end", "code"), [("exit 3", 3), ("kill -KILL $$", -9)])
def test_a_process_that_ends_badly_ends_the_pod(end: str, code: int) -> None:
    with watching("sleep 60", end) as watcher:
        assert watcher.wait(30) == 1
        assert watcher.stderr
        assert watcher.stderr.readline().endswith(f"has ended with {code}\n")


def test_terminated_processes_do_not_end_the_pod(tmp_path: Path) -> None:
    """A drained raylet ends like this: KubeRay deletes its pod and makes no new one for it."""
    last = tmp_path / "last"
    with watching("exit 0", "kill -TERM $$", "exit 143", f"touch {last}") as watcher:
        eventually(last.exists, "all have ended", seconds=30)
        with pytest.raises(subprocess.TimeoutExpired):
            watcher.wait(2)


def test_a_process_that_is_gone_before_it_is_watched_ends_the_pod() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    watcher = subprocess.run(
        [sys.executable, "-IS", WATCHER, str(gone.pid)],
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert watcher.returncode == 1
    assert watcher.stderr == f"a Ray process ({gone.pid}) had ended before it was watched\n"
