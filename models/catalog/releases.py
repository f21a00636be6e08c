"""Releases of Ray and KubeRay that a stack may pin, and what each of them can do.

Rows are in releases.yaml. This module only holds data; which combinations are refused
or warned about is decided in planning.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from annotated_types import Gt

from models.catalog import data_file
from models.facts import Facts

# The releases of a stack that names none.
DEFAULT_RAY: Final = "2.49.1"
DEFAULT_KUBERAY: Final = "1.6.2"


class RayRelease(Facts):
    """One Ray release with its ray-llm image.

    - `vllm`: the version in the image, or the least that Ray asks for
    - `ingress_class`: deployment name of the OpenAI front end inside an application
    - `placement_group_config`, `resources_per_bundle`, `bundle_per_worker`: the field exists
    - `scale_to_zero_broken`: `min_replicas: 0` does not work (ray#59076)
    - `failed_update_keeps_serving`: the old replicas go on answering if an update fails
    - `tested`: this project's tests run it for real
    """

    ray: str
    vllm: str
    image: str
    ingress_class: Literal["LLMRouter", "OpenAiIngress"]
    supports_v0_engine: bool
    placement_group_config: bool
    resources_per_bundle: bool
    bundle_per_worker: bool
    scale_to_zero_broken: bool
    failed_update_keeps_serving: bool = False
    min_kuberay: str
    tested: bool


class KubeRayRelease(Facts):
    """One KubeRay operator release.

    - `min_ray`: the oldest Ray that it serves
    - `max_rayservice_name`: characters that the name of a RayService may have
    - `tested`: this project's tests run it for real
    """

    version: str
    min_ray: str
    max_rayservice_name: Annotated[int, Gt(0)]
    tested: bool


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


def nearest_ray(suits: Callable[[RayRelease], bool], ray: str) -> str | None:
    """Return the oldest Ray after this one that suits, else the newest before it; None if none."""
    rows = list(ray_releases().values())
    here = next((index for index, row in enumerate(rows) if row.ray == ray), len(rows))
    for row in (*rows[here + 1 :], *reversed(rows[:here])):
        if suits(row):
            return row.ray
    return None


@cache
def kuberay_releases() -> Mapping[str, KubeRayRelease]:
    """Return the KubeRay releases by version, oldest first."""
    rows = [KubeRayRelease.model_validate(row) for row in _data()["kuberay"]]
    return MappingProxyType({row.version: row for row in rows})


@cache
def ray_service_name_limit() -> int:
    """Return the characters of a RayService's name that every KubeRay of the table accepts."""
    return min(row.max_rayservice_name for row in kuberay_releases().values())
