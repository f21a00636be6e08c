"""One pod that really runs: the processes of its containers and its status in the API."""

import asyncio
import contextlib
import datetime
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from localcloud.cluster import containers, pod_events, processes
from localcloud.cluster.buckets import MountError
from localcloud.cluster.images import EnvoyImage, envoy_of, runs_envoy
from localcloud.cluster.kubernetes_api import ApiError, KubernetesApi, Object
from localcloud.cluster.machine import Machine
from localcloud.cluster.pod_network import PodNetwork
from localcloud.cluster.probes import Probe
from localcloud.cluster.ray_environments import RayEnvironment, environment_of
from localcloud.cluster.ray_node import (
    GCS_PORT,
    hub_environment,
    is_head,
    is_ray_node,
    machine_environment,
    ray_environment,
)
from localcloud.cluster.volumes import ConfigError, Volumes

# A kubelet kills a container's remaining processes as soon as the first one has ended. Here Ray's
# remaining processes, which the first one would terminate, get a signal and a moment to end.
END_SECONDS = 2
RESTART_DELAY_SECONDS = 5
# Of a log, at most so much is a container's last message (pkg/kubelet/container/runtime.go).
_LOG_LINES = 80
_LOG_BYTES = 2048

# What Envoy's files and arguments say of addresses; the pod has one of this machine for itself.
# With `.svc` a name is a Service's wherever it stands, without it only as an address.
_SERVICE = re.compile(
    r"(?<![\w.-])(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)"
    r"\.svc(\.cluster\.local)?\.?(?![\w-])"
)
_SHORT_SERVICE = re.compile(
    r"(?<=\baddress)(?P<sign>[\"']?:\s*[\"']?)"
    r"(?P<name>[a-z][a-z0-9-]*)\.(?P<namespace>[a-z0-9-]+)(?![\w.-])"
)
_ANY_OR_OWN = re.compile(r"(?<![\w.])(0\.0\.0\.0|127\.0\.0\.1|localhost)(?![\w.])")


def now() -> str:
    """The current time in Kubernetes' format."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pull_failure(image: str) -> tuple[Object, Object]:
    """What a kubelet reports, one after the other, of an image that its registry does not have.

    The text is containerd's in the words of kubelet 1.36 (pkg/kubelet/images/image_manager.go).
    """
    first = image.partition("/")[0]
    qualified = image if "." in first or ":" in first else f"docker.io/{image}"
    error = (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{qualified}": '
        f'failed to resolve reference "{qualified}": {qualified}: not found'
    )
    back_off = f'Back-off pulling image "{image}": ErrImagePull: {error}'
    return (
        {"reason": "ErrImagePull", "message": error},
        {"reason": "ImagePullBackOff", "message": back_off},
    )


def _last_words(container: "Container", log: Path) -> str:
    """What a kubelet keeps of a container that failed: of its log only if its policy says so.

    Of any other container it keeps nothing; here it is a few lines, for who looks for the cause.
    """
    if container.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return processes.last_lines(log)[-2000:]
    with contextlib.suppress(OSError):
        lines = log.read_bytes().splitlines(keepends=True)[-_LOG_LINES:]
        return b"".join(lines)[-_LOG_BYTES:].decode(errors="replace")
    return ""


class Container:
    """The state of one container of a pod."""

    def __init__(self, spec: Object, *, init: bool):
        self.spec = spec
        self.init = init
        self.process: asyncio.subprocess.Process | None = None
        self.state: Object = {"waiting": {"reason": "PodInitializing"}}
        self.variables: dict[str, str] = {}
        self.hook: list[str] = []
        self.restarts = 0
        self.ready = False

    def status(self) -> Object:
        """The container's entry in the pod's status."""
        return {
            "name": self.spec["name"],
            "image": self.spec["image"],
            "imageID": "",
            "ready": self.ready,
            "started": "running" in self.state,
            "restartCount": self.restarts,
            "state": self.state,
        }


class Pod:
    """Runs a pod from its specification until it ends or is stopped."""

    def __init__(self, api: KubernetesApi, network: PodNetwork, machine: Machine, obj: Object):
        self.api = api
        self.network = network
        self.machine = machine
        self.obj = obj
        self.uid: str = obj["metadata"]["uid"]
        self.namespace: str = obj["metadata"]["namespace"]
        self.name: str = obj["metadata"]["name"]
        self.envoy = runs_envoy(obj)
        self.address = network.join(self.uid, own_host=self.envoy)
        if is_head(obj):
            cluster = obj["metadata"]["labels"]["ray.io/cluster"]
            network.keep_port(self.uid, GCS_PORT, f"{self.namespace}/{cluster}")
        self.folder = machine.pods / f"{self.name}-{self.uid[:8]}"
        # The path of a socket has at most 107 characters, so Ray's sockets need a short folder.
        self.temp = machine.temp / self.uid[:8]
        spec = obj["spec"]
        self.init = [Container(c, init=True) for c in spec.get("initContainers", [])]
        self.main = [Container(c, init=False) for c in spec["containers"]]
        self._stopping = asyncio.Event()
        self._grace = float(spec.get("terminationGracePeriodSeconds", 30))
        self._volumes = Volumes(api, obj, self.folder, machine.buckets, machine.claims)
        self._failed_mount = ""
        self._started = now()
        self._written = ""
        self._phase = "Pending"
        self._ready = False

    @property
    def path(self) -> str:
        """The pod's path in the API."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    def stop(self, *, force: bool) -> None:
        """End the pod; with `force`, do not wait for its processes."""
        if force:
            self._grace = 0
        self._stopping.set()

    def was_overruled(self, obj: Object) -> bool:
        """Whether another writer has changed the readiness that this kubelet reported.

        The node controller does so if a node has not reported its status for a while.
        """
        conditions = obj.get("status", {}).get("conditions", [])
        reported = [c["status"] == "True" for c in conditions if c["type"] == "Ready"]
        return bool(self._written) and reported == [not self._ready]

    async def report_again(self) -> None:
        """Write the status that this kubelet knows."""
        self._written = ""
        await self._write_status(self._phase)

    async def run(self) -> None:
        """Run the init containers in turn, then the containers; return when all have ended."""
        life = asyncio.create_task(self._life())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({life, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
            # A pod that has ended by itself exists until it is deleted.
            await stopping
            if self.envoy and not life.done():
                await self._stop_gracefully()
        finally:
            life.cancel()
            stopping.cancel()
            await asyncio.gather(life, stopping, return_exceptions=True)
            await self._end_processes()

    async def _life(self) -> None:
        following = asyncio.create_task(self._volumes.follow(self._file_here))
        try:
            await self._live()
        finally:
            following.cancel()

    async def _live(self) -> None:
        await self._write_status("Pending")
        policy = self.obj["spec"].get("restartPolicy", "Always")
        for container in self.init:
            while (await self._run_once(container)) != 0:
                if policy == "Never":
                    await self._write_status("Failed")
                    return
                container.restarts += 1
                await asyncio.sleep(RESTART_DELAY_SECONDS)
        codes = await asyncio.gather(*(self._keep(c, policy) for c in self.main))
        await self._end_processes()
        await self._write_status("Failed" if any(codes) else "Succeeded")

    async def _keep(self, container: Container, policy: str) -> int:
        """Run a container, and again by its restart policy; returns the last exit code."""
        while True:
            code = await self._run_once(container)
            if policy == "Never" or (policy == "OnFailure" and code == 0):
                return code
            container.restarts += 1
            await asyncio.sleep(min(RESTART_DELAY_SECONDS * 2 ** (container.restarts - 1), 60))

    async def _run_once(self, container: Container) -> int:
        """Start the container's process and probe it until it ends."""
        argv, variables = await self._prepared(container)
        log = self.machine.logs / f"{self.name}.{container.spec['name']}.log"
        started = now()
        try:
            process = await processes.start(
                argv, mark=self.machine.mark, log=log, env=variables, cwd=self.folder
            )
        except OSError as error:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a") as output:
                output.write(f"cannot start {argv[0]}: {error}\n")
            container.state = {
                "terminated": {"exitCode": 127, "reason": "StartError", "message": str(error)}
            }
            await self._write_status("Pending")
            return 127
        container.process = process
        container.state = {"running": {"startedAt": started}}
        container.ready = container.init or "readinessProbe" not in container.spec
        await self._write_status("Pending" if container.init else "Running")
        probes = [] if container.init else self._start_probes(container, variables)
        try:
            code = await process.wait()
        finally:
            for probe in probes:
                probe.cancel()
        # A container ends with its first process, so its remaining processes end too.
        await self._end_processes(POD_CONTAINER=container.spec["name"])
        container.ready = container.init and code == 0
        container.state = {
            "terminated": {
                "exitCode": code if code >= 0 else 128 - code,
                "reason": "Completed" if code == 0 else "Error",
                "message": _last_words(container, log) if code else "",
                "startedAt": started,
                "finishedAt": now(),
            }
        }
        await self._write_status("Pending" if container.init else "Running")
        return code

    async def _prepared(self, container: Container) -> tuple[list[str], dict[str, str]]:
        """Command and environment, as soon as the Secrets and ConfigMaps in them exist."""
        image = await self._pulled(container)
        while True:
            phase = "Pending" if container.init else "Running"
            try:
                return await self._prepare(container, image)
            except ConfigError as error:
                waiting = {"reason": "CreateContainerConfigError", "message": str(error)}
            except MountError as error:
                waiting, phase = {"reason": "ContainerCreating"}, "Pending"
                await self._say_failed_mount(str(error))
            except LookupError as error:
                waiting = {"reason": "NameNotResolved", "message": str(error)}
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                waiting = {"reason": "CreateContainerError", "message": str(error)}
            container.state = {"waiting": waiting}
            await self._write_status(phase)
            await asyncio.sleep(1)

    async def _say_failed_mount(self, message: str) -> None:
        """Write the event of a volume that cannot be mounted; a kubelet repeats it."""
        if message != self._failed_mount:
            with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
                await pod_events.warn(
                    self.api,
                    self.obj,
                    reason="FailedMount",
                    message=message,
                    component="kubelet",
                )
                self._failed_mount = message

    async def _pulled(self, container: Container) -> RayEnvironment | EnvoyImage:
        """What the container's image holds; never returns for an image that there is not."""
        image = container.spec["image"]
        if found := environment_of(image, self.machine.ray) or envoy_of(image):
            await self.machine.images.pull(self.obj["spec"]["nodeName"], image)
            return found
        for waiting in pull_failure(image):
            container.state = {"waiting": waiting}
            await self._write_status("Pending")
        forever: asyncio.Future[RayEnvironment | EnvoyImage] = (
            asyncio.get_running_loop().create_future()
        )
        return await forever

    async def _prepare(
        self, container: Container, image: RayEnvironment | EnvoyImage
    ) -> tuple[list[str], dict[str, str]]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._volumes.write(self._file_here)
        mounts = containers.mount_paths(container.spec, self._volumes.folders)
        # With the pod's address, which the downward API may refer to.
        pod = {**self.obj, "status": {**self.obj.get("status", {}), "podIP": self.address.ip}}
        own = await containers.environment(self.api, pod, container.spec)
        given = own
        own = {key: self._here(value, mounts) for key, value in given.items()}
        command = [*container.spec.get("command", []), *container.spec.get("args", [])]
        if isinstance(image, EnvoyImage):
            variables = image.environment(self.folder)
            command = command if "command" in container.spec else image.command(command)
        else:
            variables = machine_environment(image, self.folder)
        argv = [self._here(containers.expand(part, given), mounts) for part in command]
        hook = container.spec.get("lifecycle", {}).get("preStop", {}).get("exec", {})
        container.hook = [
            self._here(containers.expand(part, given), mounts) for part in hook.get("command", [])
        ]
        variables |= {
            "HOSTNAME": self.name,
            "POD_NAMESPACE": self.namespace,
            "POD_UID": self.uid,
            "POD_CONTAINER": container.spec["name"],
            "POD_PROXY_PORT": str(self.machine.proxy_port),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.machine.api_port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self.machine.api_port),
            "POD_BUCKETS": json.dumps(self._volumes.bucket_mounts(mounts)),
        }
        account = mounts.get("/var/run/secrets/kubernetes.io/serviceaccount")
        if account:
            variables["POD_SERVICE_ACCOUNT_DIR"] = variables["SERVICE_ACCOUNT"] = account
        if is_ray_node(self.obj) and isinstance(image, RayEnvironment):
            self.temp.mkdir(parents=True, exist_ok=True, mode=0o700)
            variables |= ray_environment(
                self.obj,
                self.address,
                image,
                faults=self.machine.faults,
                fork_server=image.fork_server(self.machine.temp),
                temp_dir=self.temp,
            )
        if isinstance(image, RayEnvironment):
            variables |= hub_environment(
                self.obj, image, self.machine.hub, f"http://127.0.0.1:{self.machine.hub_port}"
            )
        path = variables["PATH"]
        variables |= own
        variables["PATH"] = path
        container.variables = variables
        return argv, variables

    def _here(self, text: str, mounts: dict[str, str]) -> str:
        """The text with the addresses and paths of the pod replaced by those of this machine."""
        if is_head(self.obj):
            text = text.replace("127.0.0.1:6379", f"127.0.0.1:{self.address.local(6379)}")
        if is_ray_node(self.obj):
            text = self.network.localize(text)
        if self.envoy:
            address = self.machine.forwards.address
            text = _SERVICE.sub(lambda match: address(match["namespace"], match["name"]), text)
            text = _SHORT_SERVICE.sub(
                lambda match: match["sign"] + address(match["namespace"], match["name"]), text
            )
            text = _ANY_OR_OWN.sub(self.address.host, text)
        return containers.replace_mounts(text, mounts)

    def _file_here(self, text: str) -> str:
        """The text of a file; only Envoy's pods have files with addresses and paths in them."""
        if not self.envoy:
            return text
        mounts: dict[str, str] = {}
        for container in (*self.init, *self.main):
            mounts |= containers.mount_paths(container.spec, self._volumes.folders)
        return self._here(text, dict(sorted(mounts.items(), key=lambda item: -len(item[0]))))

    def _start_probes(
        self, container: Container, variables: dict[str, str]
    ) -> list[asyncio.Task[None]]:
        async def became_ready(ready: bool) -> None:
            container.ready = ready

        async def died(_: bool) -> None:
            await self._end_processes(POD_CONTAINER=container.spec["name"])

        tasks = []
        for key, change in (("readinessProbe", became_ready), ("livenessProbe", died)):
            if key in container.spec:
                ports = {
                    port["name"]: port["containerPort"]
                    for port in container.spec.get("ports", [])
                    if "name" in port
                }
                probe = Probe(
                    container.spec[key], variables, self.address, self.machine.mark, ports
                )
                tasks.append(asyncio.create_task(self._probe(probe, key, change)))
        return tasks

    async def _probe(
        self, probe: Probe, key: str, change: Callable[[bool], Awaitable[None]]
    ) -> None:
        async for good in probe.changes(at_once=key == "readinessProbe"):
            if key == "livenessProbe" and good:
                continue
            await change(good)
            await self._write_status("Running")

    async def _stop_gracefully(self) -> None:
        """As a kubelet: the preStop hooks, then SIGTERM to the first process of each container."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                running = [c for c in self.main if c.process and c.process.returncode is None]
                await asyncio.gather(*(self._run_hook(container) for container in running))
                for container in running:
                    assert container.process
                    with contextlib.suppress(ProcessLookupError):
                        container.process.terminate()
                    await container.process.wait()

    async def _run_hook(self, container: Container) -> None:
        if not container.hook:
            return
        process = await processes.start(
            container.hook,
            mark=self.machine.mark,
            log=self.machine.logs / f"{self.name}.{container.spec['name']}.log",
            env=container.variables,
            cwd=self.folder,
        )
        await process.wait()

    async def _end_processes(self, **variables: str) -> None:
        """End the processes of the pod or of one container, including orphans."""

        def end() -> None:
            found = processes.marked(self.machine.mark, POD_UID=self.uid, **variables)
            processes.stop(found, grace_seconds=min(self._grace, END_SECONDS))

        await asyncio.to_thread(end)

    async def _write_status(self, phase: str) -> None:
        initialized = all(c.ready for c in self.init)
        ready = initialized and all(c.ready for c in self.main) and phase == "Running"
        self._phase, self._ready = phase, ready
        conditions = {
            "PodScheduled": True,
            "PodReadyToStartContainers": True,
            "Initialized": initialized,
            "ContainersReady": ready,
            "Ready": ready,
        }
        status: Object = {
            "phase": phase,
            "podIP": self.address.ip,
            "podIPs": [{"ip": self.address.ip}],
            "hostIP": "10.244.255.1",
            "startTime": self._started,
            "containerStatuses": [c.status() for c in self.main],
            "initContainerStatuses": [c.status() for c in self.init],
        }
        fingerprint = json.dumps([status, conditions])
        if fingerprint == self._written:
            return
        status["conditions"] = [
            {"type": name, "status": str(value), "lastTransitionTime": now()}
            for name, value in conditions.items()
        ]
        for _ in range(30):
            try:
                await self.api.patch_status(self.path, status)
                self._written = fingerprint
                return
            except ApiError as error:
                if error.status == 404:
                    return
                await asyncio.sleep(1)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(1)
