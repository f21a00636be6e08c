"""The part of a RayClusterSpec that KubeRay compares to decide on a second cluster."""

import copy
from typing import Any


def hashed(ray_cluster_config: dict[str, Any]) -> dict[str, Any]:
    """A copy without the numbers of workers, which every KubeRay release ignores.

    GenerateHashWithoutReplicasAndWorkersToDelete in ray-operator/controllers/ray/utils/util.go.
    """
    spec = copy.deepcopy(ray_cluster_config)
    for group in spec["workerGroupSpecs"]:
        for number in ("replicas", "minReplicas", "maxReplicas"):
            del group[number]
    return spec
