"""A fork of the fork server behaves like the process that was requested.

The client, the server and Linux are real. Ray is not imported here, but by the tests on the
cluster.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from localcloud.cloud import FORKS_VARIABLE, LocalCloud, interruptible, write_executable
from localcloud.cluster import processes
from localcloud.cluster.cluster_cloud import ClusterCloud
from localcloud.cluster.cluster_state import ClusterState
from localcloud.cluster.ray_environments import STANDINS
from localcloud.forks import (
    FOLDER,
    pulumi_forks,
    pulumi_server_command,
    server_command,
)
from localcloud.forks.fork_client import ENVIRONMENT_BYTES
from localcloud.testing.running_cluster import eventually

# A server that imports nothing for its forks.
SERVE = """
import sys, fork_server
fork_server.main(sys.argv[1], lambda: None, lambda: None)
"""
TELL = """
import json, os, sys
found = {"argv": sys.argv, "name": __name__, "folder": os.getcwd(), "parent": os.getppid()}
found |= {"pid": os.getpid(), "pod": os.environ["POD_UID"], "in": sys.stdin.read()}
print(json.dumps(found))
"""


class Forks:
    """A server, and Python processes that are started as its forks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        self.environment = {"LANG": "C.UTF-8", "PYTHONPATH": f"{STANDINS}:{FOLDER}"}
        command, environment = server_command(
            Path(sys.executable), self.script(SERVE, "serve.py"), self.socket, self.environment
        )
        self.server = subprocess.Popen(command, env=environment)
        eventually(self.socket.exists, "the server listens", seconds=30)

    def start(self, *argv: str | Path, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *argv],
            env={**self.environment, "FORK_SERVER": str(self.socket), "POD_UID": "x", **variables},
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def script(self, text: str, name: str = "script.py") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def forks(self) -> list[psutil.Process]:
        return psutil.Process(self.server.pid).children()


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    forks = Forks(tmp_path)
    yield forks
    for process in forks.forks():
        with contextlib.suppress(psutil.Error):
            process.kill()
    forks.server.kill()
    forks.server.wait()


def test_a_script_runs_in_a_fork_with_all_that_it_was_given(forks: Forks) -> None:
    script = forks.script(TELL)
    process = forks.start("-u", script, "--a", "b c", POD_UID="a pod's")
    found = json.loads(process.communicate("typed in", timeout=30)[0])
    assert found.pop("pid") != process.pid
    assert found == {
        "argv": [str(script), "--a", "b c"],
        "name": "__main__",
        "folder": str(forks.folder),
        "parent": forks.server.pid,
        "pod": "a pod's",
        "in": "typed in",
    }
    assert process.returncode == 0


def test_code_on_the_command_line_runs_in_a_fork(forks: Forks) -> None:
    process = forks.start("-c", "import os, sys; print(os.getppid(), sys.argv)", "x")
    assert process.communicate(timeout=30)[0] == f"{forks.server.pid} ['-c', 'x']\n"


def test_a_fork_of_a_server_in_the_background_can_be_interrupted(
    ignoring_interrupts: None, tmp_path: Path
) -> None:
    forks = Forks(tmp_path)
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('still here')"
    # The command itself is started in the foreground.
    with interruptible(), forks.start("-c", code) as process:
        assert process.communicate(timeout=30)[0] == ""
    forks.server.kill()
    forks.server.wait()


def test_what_a_fork_has_in_its_environment_is_seen_from_outside(forks: Forks) -> None:
    """The cluster finds and ends the processes of a pod by their environment."""
    script = forks.script("import sys; sys.stdin.read()")
    with forks.start(script, POD_UID="a pod's", LONG="x" * 8000) as process:
        (fork,) = eventually(forks.forks, "the fork is there", seconds=30)
        eventually(lambda: fork.environ().get("POD_UID") == "a pod's", "its own", seconds=30)
        assert fork.environ() == psutil.Process(process.pid).environ()
        assert fork.cmdline()[0] == str(script)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("import sys; sys.exit(7)", 7), ("raise ValueError", 1), ("", 0)]
    + [
        (f"import os, signal; os.kill(os.getpid(), {int(number)})", -number)
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT)
    ],
)
def test_a_command_ends_as_its_fork_ends(forks: Forks, code: str, expected: int) -> None:
    assert forks.start("-c", code).wait(30) == expected


def test_a_signal_reaches_the_fork(forks: Forks) -> None:
    code = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
print("ready", flush=True)
signal.pause()
"""
    process = forks.start("-c", code)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(30) == 5


@pytest.mark.parametrize("fork_first", [True, False])
def test_a_signal_to_both_ends_both_and_nothing_runs_twice(forks: Forks, fork_first: bool) -> None:
    """This happens when a pod is ended."""
    script = forks.script("import signal; print('ready', flush=True); signal.pause()")
    for _ in range(20):
        process = forks.start(script)
        assert process.stdout
        process.stdout.readline()
        (fork,) = forks.forks()
        both = [fork.pid, process.pid]
        for number in both if fork_first else reversed(both):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
        assert process.stdout.read() == ""


def test_a_fork_does_not_outlive_its_command(forks: Forks) -> None:
    process = forks.start("-c", "import signal; print('ready', flush=True); signal.pause()")
    assert process.stdout
    process.stdout.readline()
    (fork,) = forks.forks()
    process.kill()
    fork.wait(30)


def test_a_fork_does_not_outlive_what_started_its_command(forks: Forks) -> None:
    """With `with_parent`, because a killed engine cannot end its language host."""
    code = "import signal; signal.pause()"
    ask = (
        f"import fork_client as c; c.run_as_fork({str(forks.socket)!r}, {code!r}, with_parent=True)"
    )
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ask!r}])"
    parent = subprocess.Popen([sys.executable, "-c", start], env=forks.environment)
    (fork,) = eventually(forks.forks, "the fork is there", seconds=30)
    (command,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    psutil.wait_procs([fork, command], timeout=30)
    assert not fork.is_running()
    assert not command.is_running()


def test_a_worker_goes_on_without_the_process_that_started_it(forks: Forks) -> None:
    """A raylet uses the process id that the worker reports."""
    worker = forks.script("import sys; print(sys.stdin.readline())", "default_worker.py")
    process = forks.start(worker)
    assert process.wait(30) == 0
    (fork,) = forks.forks()
    assert fork.is_running()
    assert process.communicate("still here\n")[0] == "still here\n\n"


def test_other_files_of_the_process_are_the_forks_too(forks: Forks) -> None:
    """Ray's dashboard starts its modules with such pipes."""
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", f"import os; os.write({write}, b'through the pipe')"],
        env={**forks.environment, "FORK_SERVER": str(forks.socket)},
        pass_fds=[write],
    ) as process:
        os.close(write)
        with open(read) as pipe:
            assert pipe.read() == "through the pipe"
    assert process.returncode == 0


def test_without_a_server_python_starts_as_usual(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "print('here')"],
        env={"PYTHONPATH": f"{STANDINS}:{FOLDER}", "FORK_SERVER": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "here\n"


def test_an_environment_too_large_for_a_fork_runs_in_a_new_process(forks: Forks) -> None:
    process = forks.start("-c", "import os; print(os.getppid())", LONG="x" * ENVIRONMENT_BYTES)
    assert process.communicate(timeout=30)[0] == f"{os.getpid()}\n"


@pytest.mark.parametrize("with_program", [True, False], ids=["tests", "cluster"])
def test_the_language_host_is_a_fork_where_there_is_a_server(
    with_program: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real host and the real libraries, without an engine that calls them."""
    mark = str(tmp_path)
    cloud: LocalCloud = ClusterCloud(ClusterState.of_this_process(tmp_path, mark, tmp_path))
    if with_program:
        monkeypatch.setenv(FORKS_VARIABLE, str(tmp_path))
        cloud = LocalCloud(tmp_path)
    script = tmp_path / "language-python"
    write_executable(script, cloud.module_script("localcloud.host"))
    environment = {**os.environ, processes.MARK: mark}

    def parents() -> set[int]:
        """The parents of the command and of the process that runs it."""
        with subprocess.Popen(
            [script, "127.0.0.1:1"], env=environment, stdout=subprocess.PIPE, text=True
        ) as command:
            assert command.stdout
            assert int(command.stdout.readline()) > 0
            found = processes.marked(mark)
            numbers = {process.ppid() for process in found}
            command.kill()
        assert psutil.wait_procs(found, timeout=30)[1] == []
        return numbers

    argv, variables = pulumi_server_command(tmp_path, with_program=with_program)
    with subprocess.Popen(argv, env=variables) as server:
        eventually(pulumi_forks.socket_path(tmp_path).exists, "the server listens", seconds=30)
        assert server.pid in parents()
        server.kill()
    assert server.pid not in parents()


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """A test run that is killed leaves none."""
    start = (
        "import pathlib, sys; from localcloud.forks import start_pulumi_server as start; "
        "start(pathlib.Path(sys.argv[1])).wait()"
    )
    with subprocess.Popen([sys.executable, "-c", start, tmp_path]) as starter:
        eventually(pulumi_forks.socket_path(tmp_path).exists, "the server listens", seconds=30)
        (server,) = psutil.Process(starter.pid).children()
        starter.kill()
    assert psutil.wait_procs([server], timeout=30)[1] == []
