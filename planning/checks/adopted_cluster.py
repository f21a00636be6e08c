"""What a plan assumes of a cluster or an operator that is there already, because no file says it.

A preview asks no cluster. What cannot be read is said, so that the person who knows can look.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from models.catalog import ray_releases
from models.problems import Problem
from models.stack import KubeRayInstall
from models.ways_out import use
from planning.checks.contexts import StackContext
from planning.infrastructure.container_image import cuda_of_image

# The oldest driver branch on which containers of a CUDA major release run, with NVIDIA's minor
# version compatibility: https://docs.nvidia.com/deploy/cuda-compatibility/, 2026-11.
# rapidsai/deployment#656 shows what an older one does on GKE.
OLDEST_DRIVER: Final[Mapping[int, int]] = MappingProxyType({12: 525, 13: 580})
# All drivers of GKE's supported releases are newer than this one.
_EVERYWHERE: Final = 535
_CPU_POOL: Final = "Write the name of a node pool of the cluster that has no GPUs"


def cpu_pool_name_problems(context: StackContext) -> Iterable[Problem]:
    """An adopted cluster whose CPU pool nobody names: the default's name is a guess there.

    The head, the routers and the check of every model select their nodes by the pool's label.
    """
    cluster = context.settings.cluster
    named = "name" in cluster.cpu_pool.model_fields_set
    if not cluster.existing or not cluster.name or named:
        return
    name = cluster.cpu_pool.name
    path = "ray-llm:cluster.cpuPool.name"
    yield Problem(
        path=path,
        reason=f"is left out, and in an adopted cluster the Ray head and the routers wait for a "
        f"node pool that is named {name}",
        remedy=f"{_CPU_POOL}, if only to confirm that {name} is there",
        rule="adopted-cpu-pool",
        candidates=(
            use(
                path,
                name,
                f"{_CPU_POOL[0].lower()}{_CPU_POOL[1:]}, if only to confirm that {name} is there: "
                f"cpuPool: {{name: {name}}}",
            ),
        ),
    )


def operator_version_problems(context: StackContext) -> Iterable[Problem]:
    """An operator that others install, without its version: the newest tested one is a guess."""
    settings = context.settings
    stated = "kuberay" in settings.versions.model_fields_set
    if settings.kube_ray.install is KubeRayInstall.HELM or not settings.cluster.name or stated:
        return
    who = "GKE" if settings.kube_ray.install is KubeRayInstall.GKE_ADDON else "somebody else"
    path, assumed = "ray-llm:versions.kuberay", settings.versions.kuberay
    yield Problem(
        path=path,
        reason=f"is left out, so KubeRay {assumed} is assumed, and {who} chose "
        "the release of the operator",
        remedy="Write the release that runs; `kubectl get deployments -A -o wide` shows its image",
        rule="operator-version",
        candidates=(
            use(
                path,
                assumed,
                "write the release that runs, which the image in `kubectl get deployments -A -o "
                f"wide` shows, if only to confirm {assumed}",
            ),
        ),
    )


def driver_problems(context: StackContext) -> Iterable[Problem]:
    """An image whose CUDA needs a driver that an older GKE release does not have.

    Pools get the newest driver of the cluster's GKE release. That of an adopted cluster, and of
    the channel for the longest support, may be years old.
    """
    cluster, versions = context.settings.cluster, context.settings.versions
    old_release = cluster.existing or cluster.release_channel == "EXTENDED"
    row = ray_releases().get(versions.ray)
    image = versions.image or ("" if row is None else row.image)
    cuda = cuda_of_image(image)
    driver = OLDEST_DRIVER.get(cuda[0], 0) if cuda else 0
    if not cluster.name or not old_release or cuda is None or driver <= _EVERYWHERE:
        return
    stated = versions.image is not None
    where = "an adopted cluster" if cluster.existing else "the EXTENDED channel"
    yield Problem(
        path="ray-llm:versions.image" if stated else "ray-llm:versions.ray",
        value=image if stated else versions.ray,
        reason=f"comes with CUDA {cuda[0]}, which needs the NVIDIA driver {driver} or newer, and "
        f"the GKE release of {where} decides which driver its nodes can have",
        remedy="Look up the newest driver of its release on "
        "https://cloud.google.com/kubernetes-engine/docs/how-to/gpus, or use an image with CUDA 12",
        rule="gpu-driver",
    )
