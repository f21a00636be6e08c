"""etcd's initial data: the API server's own objects, and the definitions of what a cluster has.

They are KubeRay's, those that GKE brings, and those of the Prometheus operator, as a cluster has
them that somebody has made ready for `monitoring`.

The data is made once, with the programs. For each definition that is added, an API server rebuilds
the description of its whole API, which takes 8 CPU seconds for KubeRay's four. An API server that
finds the definitions at its start builds the description once.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import yaml

from localcloud.cluster import processes
from localcloud.cluster.control_plane import ControlPlane
from localcloud.cluster.kubernetes_api import ApiError, KubernetesApi, Object, is_ready, object_path
from localcloud.go_build import BuildError
from localcloud.providers.kubernetes.crds import (
    compute_class_crd,
    managed_prometheus_crds,
    prometheus_operator_crds,
)

TIMEOUT_SECONDS = 120


def read_definitions(folder: Path) -> list[Object]:
    """The resource definitions in a folder's YAML files."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")]
    return [yaml.load(text, loader) for text in texts]  # noqa: S506 - a safe loader, in C if any


def wanted_definitions(kuberay: Path, cache: Path) -> list[Object]:
    """All definitions; kuberay: the folder of KubeRay's; cache: where Go modules are parsed."""
    return [
        *read_definitions(kuberay),
        compute_class_crd(),
        *managed_prometheus_crds(),
        *prometheus_operator_crds(cache),
    ]


def make(binaries: Path, definitions: Sequence[Object], target: Path) -> None:
    """Start an API server on an empty etcd, apply the definitions, and keep etcd's folder.

    Raises BuildError with one sentence; in that case it does not create `target`.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        plane = ControlPlane.create(binaries, Path(folder))
        mark = f"etcd-data-{folder}"
        try:
            asyncio.run(_fill(plane, definitions, mark))
        except (aiohttp.ClientError, ApiError, OSError, TimeoutError) as error:
            logs = [processes.last_lines(log) for log in sorted(plane.folder.glob("*.log"))]
            ends = " | ".join(text for text in logs if text)
            raise BuildError(
                f"no API server with KubeRay's definitions could be prepared ({error or 'timeout'})"
                f"; the logs of etcd and kube-apiserver end with: {ends}"
            ) from None
        finally:
            processes.stop(processes.marked(mark))
        plane.etcd_data.replace(target)


async def _fill(plane: ControlPlane, definitions: Sequence[Object], mark: str) -> None:
    async def start(name: str, argv: list[str | Path]) -> asyncio.subprocess.Process:
        return await processes.start(argv, mark=mark, log=plane.folder / f"{name}.log")

    async with asyncio.timeout(TIMEOUT_SECONDS):
        etcd = await start("etcd", plane.etcd())
        server = await start("kube-apiserver", plane.api_server())
        while not await is_ready(plane.credentials):
            for process in (etcd, server):
                if process.returncode is not None:
                    raise OSError(f"a program ended with code {process.returncode}")
            await asyncio.sleep(0.2)
        async with KubernetesApi(plane.credentials) as api:
            await asyncio.gather(*(api.apply(definition) for definition in definitions))
            await asyncio.gather(*(_established(api, definition) for definition in definitions))
        server.kill()
        await server.wait()
        etcd.terminate()
        await etcd.wait()


async def _established(api: KubernetesApi, definition: Object) -> None:
    """Wait until the definition is established, which etcd then says.

    An API server answers for a definition some seconds before. One that finds such a definition at
    its start leaves it out of its discovery for minutes, and the operator finds no such kind.
    """
    path = object_path(definition)
    while not is_established(await api.get(path)):
        await asyncio.sleep(0.2)


def is_established(definition: Object) -> bool:
    """Whether the status of a definition says that its names are accepted and in use."""
    conditions = definition.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
