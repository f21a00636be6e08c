"""Start and stop the cluster, whatever state the last one was left in."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import psutil

from localcloud.cluster import processes
from localcloud.cluster.cluster import ClusterError
from localcloud.cluster.cluster_state import ClusterState
from localcloud.cluster.installation import install, installed
from localcloud.cluster.ports import is_free
from localcloud.cluster.ray_environments import STAND_IN
from localcloud.cluster.supervisor import FAILED, READY
from localcloud.store import locked

STOP_TIMEOUT_SECONDS = 30


def up(
    home: Path,
    *,
    serve_port: int = 8000,
    dashboard_port: int = 8265,
    owner: int | None = None,
    releases: list[str] | None = None,
    engine: str = STAND_IN,
) -> ClusterState:
    """Build what is missing, start the cluster, and return when it is healthy.

    A port of 0 means any free one. With `owner` the cluster ends when that process
    ends, for whatever reason. It runs these Ray releases, by default all, with this engine.
    A cluster that is already up is left as it is; if it does not run what is asked for,
    that is a ClusterError. Raises ClusterError or BuildError with one sentence; in that
    case nothing new runs.
    """
    folder = home / "cluster"
    with locked(folder / ".up.lock"):
        state = ClusterState.read(folder)
        wanted = [str(each) for each in installed(releases, engine).ray]
        named = releases or engine != STAND_IN
        if state and state.supervisor() and state.ready:
            missing = [each for each in wanted if each not in state.ray]
            if named and missing:
                raise ClusterError(
                    f"the cluster that is up runs Ray {', '.join(state.ray)} and not "
                    f"{', '.join(missing)}; stop it first (make cluster-down)."
                )
            _say(f"The cluster is already up: {_addresses(state)}")
            return state
        if state:
            _end(state)
            _say("Cleaned up after a cluster that had not been stopped.")
        _check_port(serve_port, "serve")
        _check_port(dashboard_port, "dashboard")
        install(releases, engine)
        started = time.monotonic()
        _start(home, serve_port, dashboard_port, owner, releases, engine)
        state = ClusterState.read(folder)
        if state is None:
            raise ClusterError(f"the cluster ended right after its start; see {folder / 'logs'}.")
        _say(f"Up in {time.monotonic() - started:.0f} s: {_addresses(state)}")
        return state


def down(home: Path) -> None:
    """Stop the cluster and everything that it started; it is not an error if none is up."""
    state = ClusterState.read(home / "cluster")
    if state is None:
        _say("No cluster is up.")
        return
    had_stacks = state.stacks.exists()
    _end(state)
    _say("The cluster is down" + (", and its deployments are deleted." if had_stacks else "."))


def status(home: Path) -> int:
    """Print whether the cluster is up and its addresses; returns 0 if it is up, else 1."""
    state = ClusterState.read(home / "cluster")
    if state is None or state.supervisor() is None:
        _say("No cluster is up; `make cluster-up` starts one.")
        return 1
    _say(f"Up: {_addresses(state)}" if state.ready else "Starting.")
    memory = sum(_memory_bytes(p) for p in processes.marked(state.mark))
    _say(f"Memory: {memory / 2**30:.1f} GiB in {len(processes.marked(state.mark))} processes")
    return 0


def _memory_bytes(process: psutil.Process) -> int:
    """A process's own memory and its part of shared memory (PSS), or its RSS if unknown."""
    with contextlib.suppress(psutil.Error):
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    return 0


def _addresses(state: ClusterState) -> str:
    return (
        f"Ray {', '.join(state.ray)}, models at {state.serve}, Ray's dashboard at "
        f"{state.dashboard}, "
        f"KUBECONFIG={state.kubeconfig}, logs in {state.folder / 'logs'}"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _check_port(port: int, name: str) -> None:
    if port and not is_free(port):
        raise ClusterError(
            f"port {port} on 127.0.0.1 is taken by another program; stop it, or choose another "
            f"port with --{name}-port (0: any free port)."
        )


def _start(
    home: Path,
    serve_port: int,
    dashboard_port: int,
    owner: int | None,
    releases: list[str] | None,
    engine: str,
) -> None:
    command = [sys.executable, "-m", "localcloud.cluster", "supervise"]
    command += [f"--serve-port={serve_port}", f"--dashboard-port={dashboard_port}"]
    command += [f"--home={home}", *([f"--owner={owner}"] if owner else [])]
    command += [f"--ray={','.join(releases or [])}", f"--engine={engine}"]
    log = home / "cluster" / "supervisor.err"
    with log.open("wb") as errors:
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert supervisor.stdout
    try:
        for line in supervisor.stdout:
            if line.startswith(READY):
                return
            if line.startswith(FAILED):
                supervisor.wait(STOP_TIMEOUT_SECONDS)
                raise ClusterError(line.removeprefix(FAILED).strip())
            _say(f"  starting {line.strip()}")
        supervisor.wait(STOP_TIMEOUT_SECONDS)
        raise ClusterError(f"the supervisor ended: {processes.last_lines(log)}")
    except BaseException:
        supervisor.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            supervisor.wait(STOP_TIMEOUT_SECONDS)
        raise


def _end(state: ClusterState) -> None:
    supervisor = state.supervisor()
    if supervisor:
        with contextlib.suppress(psutil.Error):
            supervisor.terminate()
            supervisor.wait(STOP_TIMEOUT_SECONDS)
    left = processes.marked(state.mark)
    if left:
        processes.stop(left)
    if supervisor and supervisor.is_running():
        with contextlib.suppress(psutil.Error):
            supervisor.kill()
    state.forget()
