"""Node pools that a stack created in the local cloud, as the cluster's nodes need them.

The `gcp` stand-in records the node pools that a stack requested. This module
turns them into node pool descriptions, with Kubernetes' taint effects instead of
Google's and with the resources that a machine leaves for pods. The formulas and
sizes represent Google and share nothing with the product's own, so that one
reveals a mistake in the other.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from localcloud.cluster.node_pools import NodePool

NODE_POOL: Final = "gcp:container/nodePool:NodePool"
CLUSTER: Final = "gcp:container/cluster:Cluster"
_EFFECTS: Final = {
    "NO_SCHEDULE": "NoSchedule",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
    "NO_EXECUTE": "NoExecute",
}
# GiB of memory per vCPU, or vCPUs and GiB per GPU if the name counts GPUs:
# cloud.google.com/compute/docs/general-purpose-machines and accelerator-optimized-machines.
_GIB_PER_VCPU: Final = {
    "e2-standard": 4.0,
    "e2-highmem": 8.0,
    "e2-highcpu": 1.0,
    "n1-standard": 3.75,
    "n1-highmem": 6.5,
    "n1-highcpu": 0.9,
    "n2-standard": 4.0,
    "n2-highmem": 8.0,
    "n2d-standard": 4.0,
    "n4-standard": 4.0,
    "n4-highmem": 8.0,
    "c3-standard": 4.0,
    "c3d-standard": 4.0,
    "c4-standard": 3.75,
    "g2-standard": 4.0,
    "g4-standard": 3.75,
}
_PER_GPU: Final = {
    "a2-highgpu": (12, 85.0),
    "a2-megagpu": (6, 85.0),
    "a2-ultragpu": (12, 170.0),
    "a3-highgpu": (26, 234.0),
    "a3-megagpu": (26, 234.0),
    "a3-ultragpu": (28, 369.0),
    "a4-highgpu": (28, 496.0),
}
# Requests of GKE's own DaemonSets on a node, subtracted in advance because none run here.
_DAEMONSETS: Final = (0.5, 1.0)


def machine_size(machine_type: str) -> tuple[int, float]:
    """vCPUs and GiB of memory. Raises ValueError for an unknown machine type."""
    match = re.fullmatch(r"([a-z0-9]+-[a-z]+)-(\d+)(g?)", machine_type)
    if match and match[1] in (_PER_GPU if match[3] else _GIB_PER_VCPU):
        number = int(match[2])
        if match[3]:
            vcpus, gib = _PER_GPU[match[1]]
            return vcpus * number, gib * number
        return number, _GIB_PER_VCPU[match[1]] * number
    raise ValueError(f"{machine_type}: the size of this machine type is not known here")


def allocatable(machine_type: str) -> dict[str, str]:
    """What pods can request on a GKE node of this type.

    After the kernel's share, GKE's reservation in steps, 100 MiB for eviction
    (cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes) and DaemonSets.
    """
    vcpus, gib = machine_size(machine_type)
    steps = [0.06, 0.01, 0.005, 0.005]
    cpu = vcpus - sum(steps[:vcpus]) - 0.0025 * max(0, vcpus - 4)
    capacity = gib * 1024 * 63 / 64 - 80
    bounds = [0, 4000, 8000, 16000, 128000, float("inf")]
    shares = [0.25, 0.20, 0.10, 0.06, 0.02]
    reserved = sum(
        share * max(0.0, min(capacity, high) - low)
        for share, low, high in zip(shares, bounds, bounds[1:], strict=False)
    )
    return {
        "cpu": f"{int((cpu - _DAEMONSETS[0]) * 1000)}m",
        "memory": f"{int(capacity - reserved - 100 - _DAEMONSETS[1] * 1024)}Mi",
        "ephemeral-storage": "47Gi",
    }


def recorded_pools(store: Path) -> list[NodePool]:
    """The node pools in the `gcp` stand-in's record; none if there is no record yet."""
    try:
        content = json.loads(store.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return [
        _pool(entry["inputs"], content.get(key.partition("/nodePools/")[0], {}).get("inputs", {}))
        for key, entry in sorted(content.items())
        if entry["type"] == NODE_POOL
    ]


def _pool(inputs: dict[str, Any], cluster: dict[str, Any]) -> NodePool:
    config = inputs.get("nodeConfig") or {}
    scaling = inputs.get("autoscaling") or {}
    location = inputs.get("location") or cluster.get("location") or "us-central1"
    zones = inputs.get("nodeLocations") or cluster.get("nodeLocations") or []
    if not zones:
        zones = [location if re.search(r"-[a-z]$", location) else f"{location}-a"]
    fixed = inputs.get("nodeCount", inputs.get("initialNodeCount", 0)) * len(zones)
    least = scaling.get("totalMinNodeCount", scaling.get("minNodeCount", 0) * len(zones))
    most = scaling.get("totalMaxNodeCount", scaling.get("maxNodeCount", 0) * len(zones))
    accelerators = config.get("guestAccelerators") or []
    machine_type = config.get("machineType", "e2-medium")
    return NodePool(
        name=inputs["name"],
        machine_type=machine_type,
        zones=tuple(zones),
        minimum=int(least if scaling else fixed),
        maximum=int(most if scaling else fixed),
        allocatable=allocatable(machine_type),
        accelerator=accelerators[0] if accelerators else None,
        labels=config.get("labels") or {},
        taints=tuple(
            {**taint, "effect": _EFFECTS[taint["effect"]]} for taint in config.get("taints") or []
        ),
        spot=bool(config.get("spot")),
        flex_start=bool(config.get("flexStart")),
    )
