"""The part of a RayClusterSpec that KubeRay compares to decide on a second cluster."""

import copy
from typing import Any


def hashed(ray_cluster_config: dict[str, Any]) -> dict[str, Any]:
    """A copy without what no KubeRay release or, since 1.5.2, KubeRay compares.

    A change of only these fields reaches no pod of a live cluster, and nothing says so: the
    numbers of workers, and since 1.5.2 tolerations and scheduling gates.
    GenerateHashWithoutReplicasAndWorkersToDelete in ray-operator/controllers/ray/utils/util.go.
    """
    spec = copy.deepcopy(ray_cluster_config)
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        for number in ("replicas", "minReplicas", "maxReplicas"):
            group.pop(number, None)
        for field in ("tolerations", "schedulingGates"):
            group["template"]["spec"].pop(field, None)
    return spec
