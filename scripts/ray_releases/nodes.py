"""Ray nodes on 127.0.0.1, each with the rayStartParams and variables of its group.

The local cluster's stand-ins make a node of a machine without pods: each node has its own port in
place of 8000, and its own sockets. Every process carries a mark, by which it is found and ended.
"""

import json
import shlex
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from localcloud.cluster import processes
from localcloud.cluster.pod_network import PodAddress
from localcloud.cluster.ray_environments import STAND_IN, RayEnvironment
from localcloud.cluster.ray_environments import STANDINS as LOCAL_STANDINS
from localcloud.cluster.ray_node import (
    SERVE_PORT,
    fork_server_command,
    machine_environment,
    ray_environment,
)
from scripts.ray_releases.stack import NODES, ROUTER_NODES, Group, Written

STANDINS: Final = Path(__file__).parent / "standins"
ENGINE: Final = "echo_engine.EchoEngine"
START_SECONDS: Final = 400
_STARTED: Final = "Ray runtime started"


class NodeError(Exception):
    """A node did not start; with the end of its log."""


class Nodes:
    """The nodes of one Ray cluster; a context manager, which leaves no process behind.

    environment: the folder of the release's Python environment.
    vllm_arguments: the catalogue's file of the release's vLLM.
    variables: further variables of every node.
    """

    def __init__(
        self,
        environment: Path,
        written: Written,
        vllm_arguments: Path,
        variables: Mapping[str, str] | None = None,
        counts: Mapping[str, int] = NODES,
    ):
        self.ray = RayEnvironment(
            release=written.plan.release.ray.ray,
            engine=STAND_IN,
            vllm_arguments=vllm_arguments,
            megabytes=0,
            python_path=(STANDINS, LOCAL_STANDINS),
            variables={"RAYLLM_VLLM_ENGINE_CLS": ENGINE},
            definition=environment,
            installed=environment,
        )
        self._written = written
        self._variables = dict(variables or {})
        self._counts = counts
        self._mark = uuid.uuid4().hex
        # Short, because the paths of sockets are.
        self.folder = Path(tempfile.mkdtemp(prefix="rr-"))
        self.faults = self.folder / "faults.json"
        self._head = PodAddress("127.0.0.1")
        self.addresses: dict[str, PodAddress] = {}

    @property
    def serve_url(self) -> str:
        """The head's proxy, which stays while replicas and other proxies come and go."""
        return f"http://127.0.0.1:{self._head.local(SERVE_PORT)}"

    @property
    def dashboard_url(self) -> str:
        """The dashboard, whose API takes the Serve config."""
        return f"http://127.0.0.1:{self._head.local(8265)}"

    def __enter__(self) -> "Nodes":
        try:
            self._start_fork_server()
            head, *workers = self._wanted()
            self._start(*head)()
            # All at once: each waits for several processes.
            for up in [self._start(*worker) for worker in workers]:
                up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        # Processes that end start others for a moment, so twice.
        for grace in (5, 1):
            processes.stop(processes.marked(self._mark), grace_seconds=grace)

    def _wanted(self) -> Iterable[tuple[str, Group]]:
        for group in self._written.groups:
            if group.name == "head":
                yield "head", group
                continue
            count = self._counts.get(group.name, ROUTER_NODES)
            for number in range(count):
                yield f"{group.name}-{number}", group

    def environment_of(self, name: str, group: Group | None = None) -> dict[str, str]:
        """The variables of the processes of a node."""
        head = name == "head"
        address = self._head if head else self.addresses.setdefault(name, PodAddress("127.0.0.1"))
        labels = {"ray.io/node-type": "head" if head else "worker"}
        given = ray_environment(
            {"metadata": {"labels": labels}},
            address,
            self.ray,
            faults=self.faults,
            fork_server=self.ray.fork_server(self.folder),
            temp_dir=self.folder / ("ray" if head else name),
        )
        return {
            **machine_environment(self.ray, self.folder),
            **given,
            # The engine that echoes downloads nothing.
            "HF_HUB_OFFLINE": "1",
            **(group.variables if group else {}),
            **self._variables,
            processes.MARK: self._mark,
        }

    def _start_fork_server(self) -> None:
        """Start the process of which all others are forks, and wait until it answers."""
        command, variables = fork_server_command(self.ray, self.folder)
        log = self.folder / "forks.log"
        process = self._run(command, {**variables, processes.MARK: self._mark}, log)
        socket = self.ray.fork_server(self.folder)
        self._wait("the fork server", process, log, socket.exists)

    def _run(
        self, command: Sequence[str | Path], variables: Mapping[str, str], log: Path
    ) -> "subprocess.Popen[bytes]":
        with log.open("wb") as output:
            return subprocess.Popen(
                command,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self.folder,
            )

    def _wait(
        self, name: str, process: "subprocess.Popen[bytes]", log: Path, up: Callable[[], bool]
    ) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not up():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NodeError(f"{name} did not start: {processes.last_lines(log, 8)}")
            time.sleep(0.2)

    def _start(self, name: str, group: Group) -> Callable[[], None]:
        """Start a node; what is returned waits until it is up."""
        head = name == "head"
        # As bash takes KubeRay's command: the quotes belong to the parameter's value.
        parameters = shlex.split(" ".join(f"--{k}={v}" for k, v in group.start_params.items()))
        where = ["--head"] if head else [f"--address=127.0.0.1:{self._head.local(6379)}"]
        variables = self.environment_of(name, group)
        Path(variables["POD_SOCKETS"]).mkdir(parents=True)
        log = self.folder / f"{name}.log"
        command = [LOCAL_STANDINS / "bin/ray", "start", "--block", *where, *parameters]
        process = self._run(command, variables, log)
        return lambda: self._wait(
            name, process, log, lambda: _STARTED in log.read_text(errors="replace")
        )

    def logs(self) -> Path:
        """The folder with the logs of Ray and Serve."""
        return self.folder / "ray" / "session_latest" / "logs"

    def run(self, script: Path, *arguments: str) -> dict[str, Any]:
        """What a script prints as JSON; it runs with the release's Python as a driver."""
        variables = self.environment_of("head")
        variables["RAY_ADDRESS"] = f"127.0.0.1:{self._head.local(6379)}"
        done = subprocess.run(
            [self.ray.installed / "bin/python", script, *arguments],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise NodeError(f"{script.name}: {done.stderr.strip()[-600:]}")
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return found
