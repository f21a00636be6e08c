"""Nodes from node pools: a small model of GKE and its cluster autoscaler.

The node pools are those that a stack created in the local cloud, and one more for
each JSON file in a folder. If the real scheduler finds no node for a pending pod,
nodes are added, from zero up to the pool's maximum, with the labels, taints and
allocatable resources that GKE gives them. Nodes without pods are removed after a
while, down to the minimum.

A description: {"name", "machineType", "accelerator": {"type", "count"} or null,
"labels", "taints": [{"key", "value", "effect"}], "spot", "flexStart", "zones", "totalMin",
"totalMax", "allocatable": {"cpu", "memory", ...}} with Kubernetes quantities.

For a pod that selects a ComputeClass, only the class's node pools are asked, in its order; a class
that does not exist gets no node. Each node pool gives a node until its maximum, so that the next
one in the order is asked only then.

Google may be out of machines: `out-of-stock.json` beside the folder lists the names of node
pools that get no node for now. Their pods get the event that GKE writes, once a minute:
https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-autoscaler-visibility

A machine comes up at once, unless start_delays.py's file says how long it takes.

Not modelled: spot preemption, node upgrades, surge nodes, topology spread, pod affinity, priorities
and preemption, consolidation of half-empty nodes, and GKE's own DaemonSets
(allocatable must leave room for them).
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from localcloud.cluster.kubernetes_api import ApiError, KubernetesApi, Object, Store
from localcloud.cluster.pod_events import warn
from localcloud.cluster.scheduler_filters import (
    Resources,
    admits,
    fits,
    pod_requests,
    quantities,
    subtract,
)
from localcloud.cluster.start_delays import START_DELAYS, StartDelays

# GKE waits for ten minutes.
IDLE_SECONDS = 5.0
POOL_LABEL = "cloud.google.com/gke-nodepool"
CLASS_LABEL = "cloud.google.com/compute-class"
OUT_OF_STOCK = "out-of-stock.json"
CLASSES = "/apis/cloud.google.com/v1/computeclasses"
GPU_RESOURCE = "nvidia.com/gpu"
_REFUSED_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class NodePool:
    """One node pool, with the fields of its description."""

    name: str
    machine_type: str
    zones: tuple[str, ...]
    minimum: int
    maximum: int
    allocatable: dict[str, str]
    accelerator: dict[str, Any] | None = None
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[dict[str, str], ...] = ()
    spot: bool = False
    flex_start: bool = False

    @classmethod
    def read(cls, path: Path) -> "NodePool":
        """Read a description. Raises ValueError or KeyError if the file is not one."""
        d = json.loads(path.read_text())
        return cls(
            name=d["name"],
            machine_type=d["machineType"],
            zones=tuple(d["zones"]),
            minimum=d.get("totalMin", 0),
            maximum=d["totalMax"],
            allocatable=d["allocatable"],
            accelerator=d.get("accelerator"),
            labels=d.get("labels", {}),
            taints=tuple(d.get("taints", [])),
            spot=d.get("spot", False),
            flex_start=d.get("flexStart", False),
        )

    def node(self, number: int, zone: str) -> Object:
        """A Node object as GKE registers it."""
        name = f"gke-local-{self.name}-{number:04x}"
        allocatable = dict(self.allocatable)
        taints = list(self.taints)
        labels = {
            **self.labels,
            POOL_LABEL: self.name,
            "node.kubernetes.io/instance-type": self.machine_type,
            "cloud.google.com/machine-family": self.machine_type.partition("-")[0],
            "cloud.google.com/gke-os-distribution": "cos",
            "cloud.google.com/gke-provisioning": "spot" if self.spot else "standard",
            "topology.kubernetes.io/zone": zone,
            "topology.kubernetes.io/region": zone.rpartition("-")[0],
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
        }
        if self.spot:
            labels["cloud.google.com/gke-spot"] = "true"
        if self.flex_start:
            labels["cloud.google.com/gke-flex-start"] = "true"
        if self.accelerator:
            labels["cloud.google.com/gke-accelerator"] = self.accelerator["type"]
            labels["cloud.google.com/gke-accelerator-count"] = str(self.accelerator["count"])
            allocatable[GPU_RESOURCE] = str(self.accelerator["count"])
            # GKE taints GPU nodes by itself.
            taint = {"key": GPU_RESOURCE, "value": "present", "effect": "NoSchedule"}
            if taint not in taints:
                taints.append(taint)
        allocatable.setdefault("pods", "110")
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"taints": taints, "providerID": f"gce://local/{zone}/{name}"},
            "status": {"allocatable": allocatable, "capacity": allocatable},
        }


class Decision(NamedTuple):
    """nodes: how many more each pool gets; refused: pods with a pool that Google has none for."""

    nodes: dict[NodePool, int]
    refused: list[tuple[Object, NodePool]]


class NodePools:
    """Watches descriptions, pods and nodes, and adds and removes nodes."""

    def __init__(
        self,
        api: KubernetesApi,
        pods: Store,
        folder: Path,
        others: Callable[[], list[NodePool]],
    ):
        self.api = api
        self.pods = pods
        self.nodes = Store(api, "/api/v1/nodes")
        self.folder = folder
        self.others = others
        self._numbers: dict[str, int] = {}
        self._idle_since: dict[str, float] = {}
        self._refused_at: dict[str, float] = {}
        # Nodes that were decided on, and when they will be there.
        self._ordered: list[tuple[float, Object]] = []

    async def run(self) -> None:
        """Add and remove nodes once a second until cancelled."""
        self.folder.mkdir(parents=True, exist_ok=True)
        following = asyncio.create_task(self.nodes.run())
        try:
            while True:
                await asyncio.sleep(1)
                with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
                    await self._even_out()
        finally:
            following.cancel()

    def read(self) -> list[NodePool]:
        """The pools as their files describe them now; an incomplete file is left out."""
        pools = self.others()
        for path in sorted(self.folder.glob("*.json")):
            with contextlib.suppress(ValueError, KeyError, OSError):
                pools.append(NodePool.read(path))
        return pools

    async def _even_out(self) -> None:
        pools = self.read()
        members: dict[str, list[Object]] = {pool.name: [] for pool in pools}
        # A copy, because the watch continues while a node is being removed.
        for node in list(self.nodes.objects.values()):
            pool_name = _pool_of(node)
            if pool_name in members:
                members[pool_name].append(node)
            elif pool_name:
                await self._remove(node)
        classes = await self._classes()
        out = self._out_of_stock()
        decision = self._decide(pools, self._with_ordered(members), classes, out)
        for pool, number in decision.nodes.items():
            for _ in range(number):
                self._order(pool)
        await self._create_ordered(members)
        for pod, pool in decision.refused:
            await self._say_refused(pod, pool)
        for pool in pools:
            await self._remove_idle(pool, members[pool.name])

    def _free(self, node: Object) -> Resources:
        free = quantities(node["status"].get("allocatable", {}))
        for pod in self._pods_on(node["metadata"]["name"]):
            free = subtract(free, pod_requests(pod))
        return free

    def _pods_on(self, node_name: str) -> list[Object]:
        return [
            pod
            for pod in self.pods.objects.values()
            if pod["spec"].get("nodeName") == node_name
            and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        ]

    def _out_of_stock(self) -> frozenset[str]:
        """Node pools for which Google has no machine now; none without the file."""
        with contextlib.suppress(ValueError, OSError):
            return frozenset(json.loads(self.folder.with_name(OUT_OF_STOCK).read_text()))
        return frozenset()

    async def _classes(self) -> dict[str, list[str]]:
        """The node pools of each ComputeClass in its order, if a waiting pod selects any."""
        if not any(_class_of(pod) for pod in self._unschedulable()):
            return {}
        try:
            listed = await self.api.get(CLASSES)
        except ApiError as error:
            if error.status == 404:
                return {}
            raise
        return {
            item["metadata"]["name"]: [
                name
                for priority in item["spec"].get("priorities") or []
                for name in priority.get("nodepools") or []
            ]
            for item in listed["items"]
        }

    def _decide(
        self,
        pools: list[NodePool],
        members: dict[str, list[Object]],
        classes: dict[str, list[str]],
        out_of_stock: frozenset[str] = frozenset(),
    ) -> Decision:
        """How many more nodes each pool needs, packing pods first-fit.

        classes: the node pools of each ComputeClass, in its order.
        """
        wanted = {
            pool: 0 if pool.name in out_of_stock else max(0, pool.minimum - len(members[pool.name]))
            for pool in pools
        }
        # The nodes that exist or are being added, with their free resources.
        room = [(node, self._free(node)) for nodes in members.values() for node in nodes]
        for pool, number in wanted.items():
            sample = pool.node(0, pool.zones[0])
            room += [(sample, quantities(sample["status"]["allocatable"]))] * number
        refused: list[tuple[Object, NodePool]] = []
        for pod in self._unschedulable():
            request = pod_requests(pod)
            refusing: NodePool | None = None
            for index, (node, free) in enumerate(room):
                if admits(pod, node) and fits(request, free):
                    room[index] = (node, subtract(free, request))
                    break
            else:
                for pool in _asked(pod, pools, classes):
                    sample = pool.node(0, pool.zones[0])
                    free = quantities(sample["status"]["allocatable"])
                    full = len(members[pool.name]) + wanted[pool] >= pool.maximum
                    if full or not admits(pod, sample) or not fits(request, free):
                        continue
                    if pool.name in out_of_stock:
                        refusing = refusing or pool
                        continue
                    wanted[pool] += 1
                    room.append((sample, subtract(free, request)))
                    break
                else:
                    if refusing is not None:
                        refused.append((pod, refusing))
        return Decision(wanted, refused)

    def _unschedulable(self) -> list[Object]:
        return [
            pod
            for _, pod in sorted(self.pods.objects.items())
            if not pod["spec"].get("nodeName")
            and not pod["metadata"].get("deletionTimestamp")
            and any(
                condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
                for condition in pod.get("status", {}).get("conditions", [])
            )
        ]

    def _with_ordered(self, members: dict[str, list[Object]]) -> dict[str, list[Object]]:
        every = {pool: list(nodes) for pool, nodes in members.items()}
        for _, node in self._ordered:
            every.setdefault(_pool_of(node), []).append(node)
        return every

    def _order(self, pool: NodePool) -> None:
        number = self._numbers.get(pool.name, 0) + 1
        self._numbers[pool.name] = number
        node = pool.node(number, pool.zones[(number - 1) % len(pool.zones)])
        seconds = StartDelays.read(self.folder.with_name(START_DELAYS)).node
        self._ordered.append((time.monotonic() + seconds, node))

    async def _create_ordered(self, members: dict[str, list[Object]]) -> None:
        """Create the nodes whose time has come; those of a pool that is gone are given up."""
        now = time.monotonic()
        ordered = [(due, node) for due, node in self._ordered if _pool_of(node) in members]
        self._ordered = [(due, node) for due, node in ordered if due > now]
        for due, node in ordered:
            if due <= now:
                created: Object = await self.api.create("/api/v1/nodes", node)
                self.nodes.objects["", created["metadata"]["name"]] = created
                members[_pool_of(created)].append(created)

    async def _say_refused(self, pod: Object, pool: NodePool) -> None:
        """Write GKE's event for a pod that gets no node because Google has no machine."""
        metadata, now = pod["metadata"], time.monotonic()
        last = self._refused_at.get(metadata["uid"])
        if last is not None and now - last < _REFUSED_AGAIN_SECONDS:
            return
        self._refused_at[metadata["uid"]] = now
        message = (
            f"Node scale up in zones {', '.join(pool.zones)} associated with this pod failed: GCE "
            "out of resources. Pod is at risk of not being scheduled."
        )
        await warn(
            self.api, pod, reason="FailedScaleUp", message=message, component="cluster-autoscaler"
        )

    async def _remove_idle(self, pool: NodePool, nodes: list[Object]) -> None:
        now = time.monotonic()
        surplus = len(nodes) - pool.minimum
        for node in nodes:
            name = node["metadata"]["name"]
            if self._pods_on(name):
                self._idle_since.pop(name, None)
                continue
            idle = now - self._idle_since.setdefault(name, now)
            if surplus > 0 and idle > IDLE_SECONDS:
                surplus -= 1
                await self._remove(node)

    async def _remove(self, node: Object) -> None:
        name = node["metadata"]["name"]
        await self.api.delete(f"/api/v1/nodes/{name}")
        self._idle_since.pop(name, None)
        self.nodes.objects.pop(("", name), None)


def _pool_of(node: Object) -> str:
    """The name of a node's pool; empty for a node that is not of one."""
    return str(node["metadata"].get("labels", {}).get(POOL_LABEL, ""))


def _class_of(pod: Object) -> str | None:
    """The ComputeClass that a pod selects."""
    selected: str | None = pod["spec"].get("nodeSelector", {}).get(CLASS_LABEL)
    return selected


def _asked(pod: Object, pools: list[NodePool], classes: dict[str, list[str]]) -> list[NodePool]:
    """The pools that may get a node for a pod, in the order in which they are asked."""
    selected = _class_of(pod)
    if selected is None:
        return pools
    by_name = {pool.name: pool for pool in pools}
    return [by_name[name] for name in classes.get(selected, ()) if name in by_name]
