"""Whether the NVIDIA driver of a pool's nodes is new enough for the CUDA of the image.

A preview asks no cluster: what its GKE release installs is known only as far as it was seen.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from models.catalog import ray_releases
from models.problems import Problem
from models.stack import GpuDriverVersion
from models.ways_out import outside, use
from planning.checks.contexts import StackContext
from planning.infrastructure.container_image import cuda_of_image

# The oldest driver branch on which containers of a CUDA major release run, with NVIDIA's minor
# version compatibility: https://docs.nvidia.com/deploy/cuda-compatibility/, 2026-11.
OLDEST_DRIVER: Final[Mapping[int, int]] = MappingProxyType({12: 525, 13: 580})
# GKE's default driver as seen in February 2026, 535.274.02; its latest was newer than 580.65:
# https://github.com/rapidsai/deployment/issues/656 and the fix of it, rapidsai/deployment#659.
DEFAULT_DRIVER: Final = 535


def driver_problems(context: StackContext) -> Iterable[Problem]:
    """A warning for each driver that may be too old, and for nodes that get none."""
    versions = context.settings.versions
    row = ray_releases().get(versions.ray)
    cuda = cuda_of_image(versions.image) if versions.image else row.cuda if row else None
    needed = OLDEST_DRIVER.get(cuda[0]) if cuda else None
    for pool in context.pools:
        path = f"{pool.path}.gpuDriverVersion"
        latest = use(path, GpuDriverVersion.LATEST.value)
        if pool.gpu_driver_version is GpuDriverVersion.INSTALLATION_DISABLED:
            enough = "" if needed is None else f", {needed} or newer for this image"
            yield Problem(
                path=path,
                value=pool.gpu_driver_version.value,
                reason=f"leaves the nodes of {pool.id} without an NVIDIA driver: they show no GPU, "
                "and no replica starts",
                remedy="Install the driver by a DaemonSet",
                rule="gpu-driver-own",
                candidates=(
                    latest,
                    outside(
                        f"install a driver by a DaemonSet of your own{enough}, then accept this "
                        "warning"
                    ),
                ),
            )
        elif (
            pool.gpu_driver_version is GpuDriverVersion.DEFAULT
            and cuda is not None
            and needed is not None
            and needed > DEFAULT_DRIVER
        ):
            yield Problem(
                path=path,
                value=pool.gpu_driver_version.value,
                reason=f"may be an older driver than {needed}, which the CUDA {cuda[0]} of the "
                f"image needs: GKE's default was {DEFAULT_DRIVER} where it was seen",
                remedy="Use LATEST",
                rule="gpu-driver",
                candidates=(latest,),
            )
    if cuda is not None and needed is not None and needed > DEFAULT_DRIVER:
        yield from _old_gke_release(context, cuda[0], needed)


def _old_gke_release(context: StackContext, cuda: int, needed: int) -> Iterable[Problem]:
    """The newest driver of a GKE release that may be years old itself."""
    cluster, versions = context.settings.cluster, context.settings.versions
    newest = any(pool.gpu_driver_version is GpuDriverVersion.LATEST for pool in context.pools)
    if not cluster.name or not newest:
        return
    if not cluster.existing and cluster.release_channel != "EXTENDED":
        return
    stated = versions.image is not None
    where = "an adopted cluster" if cluster.existing else "the EXTENDED channel"
    yield Problem(
        path="ray-llm:versions.image" if stated else "ray-llm:versions.ray",
        value=versions.image or versions.ray,
        reason=f"comes with CUDA {cuda}, which needs the NVIDIA driver {needed} or newer, and "
        f"the GKE release of {where} decides which driver its nodes can have",
        remedy="Look up the newest driver of its release on "
        "https://cloud.google.com/kubernetes-engine/docs/how-to/gpus, or use an image with CUDA 12",
        rule="gpu-driver",
    )
