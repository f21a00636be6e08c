"""Starting and stopping the local cluster, including failures."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from localcloud import store
from localcloud.cloud import interruptible
from localcloud.cluster import etcd_data, installation, processes
from localcloud.cluster.cluster import ClusterError
from localcloud.cluster.cluster_state import ClusterState
from localcloud.cluster.lifecycle import down, up
from localcloud.go_build import BuildError, GoProgram, build
from localcloud.testing.running_cluster import RunningCluster, eventually

pytestmark = pytest.mark.cluster

BROKEN = "#!/bin/sh\necho 'no space left on device' >&2\nexit 1\n"


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "localcloud.cluster", *arguments, f"--home={home}"]


def start(home: Path) -> "subprocess.Popen[str]":
    arguments = command(home, "up", "--serve-port=0", "--dashboard-port=0")
    with interruptible():
        return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def supervised(home: Path) -> ClusterState | None:
    """The state as soon as the supervisor has started a program."""
    state = ClusterState.read(home / "cluster")
    return state if state and len(processes.marked(state.mark)) > 1 else None


def nothing_left(state: ClusterState) -> bool:
    return not processes.marked(state.mark) and state.supervisor() is None


def test_up_twice_is_one_cluster(local_cluster: RunningCluster) -> None:
    assert (
        up(local_cluster.state.folder.parent, serve_port=0, dashboard_port=0) == local_cluster.state
    )
    assert oct(Path(local_cluster.state.kubeconfig).stat().st_mode & 0o777) == "0o600"


def test_every_kind_of_kuberay_is_found_from_the_start(local_cluster: RunningCluster) -> None:
    """The operator would otherwise end and start again every two minutes."""
    listed = local_cluster.get("/apis/ray.io/v1")["resources"]
    assert {item["name"] for item in listed if "/" not in item["name"]} == {
        "rayclusters",
        "raycronjobs",
        "rayjobs",
        "rayservices",
    }


def test_a_cluster_that_runs_another_release_is_left_as_it_is(tmp_path: Path) -> None:
    first = up(tmp_path, serve_port=0, dashboard_port=0, releases=["2.60.0"])
    try:
        assert up(tmp_path, serve_port=0, dashboard_port=0) == first
        with pytest.raises(ClusterError, match=r"runs Ray 2\.60\.0 and not 2\.49\.1; stop it"):
            up(tmp_path, serve_port=0, dashboard_port=0, releases=["2.49.1"])
        assert ClusterState.read(tmp_path / "cluster") == first
    finally:
        down(tmp_path)


def test_a_killed_supervisor_leaves_nothing_that_the_next_up_does_not_clean(
    tmp_path: Path,
) -> None:
    first = up(tmp_path, serve_port=0, dashboard_port=0)
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: first.supervisor() is None, "it is dead", seconds=5)
    second = up(tmp_path, serve_port=0, dashboard_port=0)
    try:
        assert second.pid != first.pid
        assert processes.marked(first.mark) == []
    finally:
        down(tmp_path)
    assert nothing_left(second)
    assert ClusterState.read(tmp_path / "cluster") is None
    down(tmp_path)  # twice is fine


def test_a_stale_pid_file_does_not_end_the_process_that_has_its_number_now(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            folder = tmp_path / "cluster"
            state = ClusterState.of_this_process(folder, "no-mark", tmp_path / "temp")
            folder.mkdir()
            replace(state, pid=other.pid, process_started=state.process_started - 3600).write()
            down(tmp_path)
            assert other.poll() is None
            assert ClusterState.read(folder) is None
        finally:
            other.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_up_that_is_ended_half_way_leaves_nothing(tmp_path: Path, number: int) -> None:
    starting = start(tmp_path)
    state = eventually(lambda: supervised(tmp_path), "the first program runs", seconds=30)
    starting.send_signal(number)
    assert starting.wait(30) != 0
    eventually(lambda: nothing_left(state), "everything is gone", seconds=30)


def test_a_program_that_dies_is_started_again(local_cluster: RunningCluster) -> None:
    def schedulers() -> list[psutil.Process]:
        return [p for p in local_cluster.processes() if p.name() == "kube-scheduler"]

    (scheduler,) = schedulers()
    scheduler.kill()
    eventually(lambda: [p for p in schedulers() if p.pid != scheduler.pid], "a new one", seconds=20)


def test_a_taken_port_is_one_sentence_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"port {port} .* is taken .* --serve-port"):
            up(tmp_path, serve_port=port, dashboard_port=0)
    assert ClusterState.read(tmp_path / "cluster") is None


def test_a_program_that_cannot_start_is_named_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = installation.installed()
    programs = tmp_path / "programs"
    shutil.copytree(real.binaries, programs / real.binaries.name, symlinks=True)
    for ray in real.ray:
        (programs / ray.installed.name).symlink_to(ray.installed)
    (programs / real.provider.name).symlink_to(real.provider)
    broken = programs / real.binaries.name / "etcd"
    broken.write_text(BROKEN)
    monkeypatch.setenv(store.PROGRAMS_VARIABLE, str(programs))
    started = time.monotonic()
    with pytest.raises(ClusterError, match=r"etcd ended with code 1.*no space left on device"):
        up(tmp_path, serve_port=0, dashboard_port=0)
    assert time.monotonic() - started < 60
    assert ClusterState.read(tmp_path / "cluster") is None


def test_an_etcd_that_cannot_be_prepared_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    real = installation.installed()
    (tmp_path / "kube-apiserver").symlink_to(real.binaries / "kube-apiserver")
    broken = tmp_path / "etcd"
    broken.write_text(BROKEN)
    broken.chmod(0o755)
    with pytest.raises(BuildError, match=r"no API server .*code 1.*no space left on device"):
        etcd_data.make(tmp_path, [], tmp_path / "etcd-data")
    assert {path.name for path in tmp_path.iterdir()} == {"kube-apiserver", "etcd"}


def test_no_go_on_path_is_one_sentence_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program = GoProgram(tmp_path, "example.com/x", "x")
    with pytest.raises(BuildError, match=r"no `go` on PATH.*install Go 1\.26"):
        build([program], tmp_path / "programs")


class Refusal(BaseHTTPRequestHandler):
    """A module proxy that serves nothing, like a mirror that withholds a module."""

    def do_GET(self) -> None:
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing_proxy() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def missing_module(folder: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> GoProgram:
    module, checksum = "example.com/missing v1.0.0", "h1:" + "A" * 43 + "="
    (folder / "go.mod").write_text(f"module x\ngo 1.26\nrequire {module}\n")
    (folder / "go.sum").write_text(f"{module} {checksum}\n{module}/go.mod {checksum}\n")
    monkeypatch.setenv("GOPROXY", proxy)
    return GoProgram(folder, "example.com/missing", "missing")


def test_a_module_that_the_proxy_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusing_proxy: str
) -> None:
    program = missing_module(tmp_path, monkeypatch, refusing_proxy)
    with pytest.raises(BuildError, match=r"does not serve example\.com/missing@v1\.0\.0"):
        build([program], tmp_path / "programs")
    assert not (tmp_path / "programs" / "missing").exists()


def test_a_proxy_that_is_out_of_reach_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = missing_module(tmp_path, monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(BuildError, match="Go module proxy cannot be reached"):
        build([program], tmp_path / "programs")


def test_a_half_built_cache_is_completed(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/hello\ngo 1.26\n")
    (tmp_path / "go.sum").write_text("")
    (tmp_path / "main.go").write_text("package main\nfunc main() {}\n")
    program = GoProgram(tmp_path, "example.com/hello", "hello")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / ".hello.12345").write_bytes(b"half")
    build([program], programs)
    assert subprocess.run([programs / "hello"], check=False).returncode == 0


FULL_DISK = """#!/bin/sh
case $1 in
    env) echo go1.26.8 ;;
    *) echo "write $HOME/.cache/go-build: no space left on device" >&2; exit 1 ;;
esac
"""


def test_a_disk_that_is_too_small_is_said_before_anything_is_built(tmp_path: Path) -> None:
    program = GoProgram(tmp_path, "example.com/x", "x", needed_bytes=10**18)
    with pytest.raises(BuildError, match=r"needs up to 1000000000\.0 GB.*free some"):
        build([program], tmp_path / "programs")


def test_a_disk_that_becomes_full_while_building_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FULL_DISK)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    with pytest.raises(BuildError, match=r"the disk is full while building x: free some space"):
        build([GoProgram(tmp_path, "example.com/x", "x")], tmp_path / "programs")
    assert not (tmp_path / "programs" / "x").exists()
