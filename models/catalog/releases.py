"""Releases of Ray and KubeRay that a stack may pin, and what each of them can do.

Rows are in releases.yaml. This module only holds data; which combinations are refused
or warned about is decided in planning.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from annotated_types import Gt
from pydantic import BaseModel, ConfigDict

from models.catalog import data_file

DEFAULT_RAY = "2.49.1"
DEFAULT_KUBERAY = "1.6.2"


class RayRelease(BaseModel):
    """One Ray release with its ray-llm image.

    - `vllm`: the version in the image, or the floor that Ray asks for
    - `ingress_class`: deployment name of the OpenAI front end inside an application
    - `num_router_replicas`: `experimental_configs.num_router_replicas` is accepted
    - `ingress_deployment_config`, `placement_group_config`, `resources_per_bundle`,
      `bundle_per_worker`: the field exists
    - `needs_bundle_per_worker`: without it tensor-parallel workers may split over nodes
    - `scale_to_zero_broken`: `min_replicas: 0` does not work (ray#59076)
    - `request_timeout_variable`: RAY_SERVE_REQUEST_PROCESSING_TIMEOUT_S has an effect
    - `probes_with_wget`: KubeRay probes pods of this release with wget in the image
    - `tested`: run for real by this project's tests
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ray: str
    vllm: str
    python: str
    image: str
    ingress_class: Literal["LLMRouter", "OpenAiIngress"]
    supports_v0_engine: bool
    num_router_replicas: bool
    ingress_deployment_config: bool
    placement_group_config: bool
    resources_per_bundle: bool
    bundle_per_worker: bool
    needs_bundle_per_worker: bool
    scale_to_zero_broken: bool
    request_timeout_variable: bool
    probes_with_wget: bool
    min_kuberay: str
    tested: bool
    notes: str


class KubeRayRelease(BaseModel):
    """One KubeRay operator release.

    - `min_ray`: the oldest Ray that it serves
    - `supports_suspend`: `spec.suspend` of a RayService
    - `deletion_delay`: `rayClusterDeletionDelaySeconds`
    - `hash_ignores_tolerations`: a changed toleration starts no second cluster, and
      does not reach the live one either
    - `max_rayservice_name`, `max_raycluster_name`: characters
    - `tested`: run for real by this project's tests
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    min_ray: str
    supports_suspend: bool
    deletion_delay: bool
    incremental_upgrade: bool
    initializing_timeout: bool
    typed_group_resources: bool
    hash_ignores_tolerations: bool
    max_rayservice_name: Annotated[int, Gt(0)] = 47
    max_raycluster_name: Annotated[int, Gt(0)] = 53
    tested: bool
    notes: str


@cache
def _data() -> dict[str, list[dict[str, Any]]]:
    data: dict[str, list[dict[str, Any]]] = data_file.read("releases.yaml")
    return data


@cache
def ray_releases() -> Mapping[str, RayRelease]:
    """Return the Ray releases by version, oldest first."""
    rows = [RayRelease.model_validate(row) for row in _data()["ray"]]
    return MappingProxyType({row.ray: row for row in rows})


def oldest_ray(suits: Callable[[RayRelease], bool]) -> str | None:
    """Return the oldest Ray of the table that suits, for a way out; None if none does."""
    return next((row.ray for row in ray_releases().values() if suits(row)), None)


@cache
def kuberay_releases() -> Mapping[str, KubeRayRelease]:
    """Return the KubeRay releases by version, oldest first."""
    rows = [KubeRayRelease.model_validate(row) for row in _data()["kuberay"]]
    return MappingProxyType({row.version: row for row in rows})
