"""Releases of Ray and KubeRay that a stack may pin, and what each of them can do.

Rows are in releases.yaml. This module only holds data; which combinations are refused
or warned about is decided in planning.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from annotated_types import Gt
from pydantic import Field

from models.catalog import data_file
from models.facts import Facts

# The releases of a stack that names none. Why these: docs/releases.md.
DEFAULT_RAY: Final = "2.60.0"
DEFAULT_KUBERAY: Final = "1.6.2"


class Tested(StrEnum):
    """What this project runs of a release, the most first."""

    CLUSTER = "cluster"
    SERVE = "serve"
    CRDS = "crds"
    NOTHING = "nothing"


class Known(StrEnum):
    """How a claim of the table is known: seen in a run, read in the release, or inferred."""

    RUN = "run"
    READ = "read"
    INFERRED = "inferred"


class Release(Facts):
    """What the rows of Ray and of KubeRay have in common.

    - `tested`: what this project's tests and scripts run of it
    - `known`: the row's claims by how each is known
    """

    tested: Annotated[Tested, Field(strict=False)]
    known: Mapping[Known, tuple[str, ...]]

    def how_known(self, claim: str) -> Known:
        """How a claim of the row is known; KeyError if the row does not say."""
        for how, claims in self.known.items():
            if claim in claims:
                return how
        raise KeyError(claim)


class RayRelease(Release):
    """One Ray release with its ray-llm image.

    - `vllm`: the version in the image, or the least that Ray asks for
    - `cuda`: the CUDA release of the image, (12, 8) for 12.8
    - `ingress_class`: deployment name of the OpenAI front end inside an application
    - `placement_group_config`, `resources_per_bundle`, `bundle_per_worker`: the field exists
    - `logs_engine_metrics`: `log_engine_metrics` is on unless an LLM config turns it off, and with
      it vLLM's `disable_log_stats` is refused
    - `failed_update_keeps_serving`: the old replicas go on answering if an update fails
    """

    ray: str
    vllm: str
    image: str
    cuda: tuple[int, int]
    ingress_class: Literal["LLMRouter", "OpenAiIngress"]
    supports_v0_engine: bool
    placement_group_config: bool
    resources_per_bundle: bool
    bundle_per_worker: bool
    logs_engine_metrics: bool
    failed_update_keeps_serving: bool


class KubeRayRelease(Release):
    """One KubeRay operator release.

    - `max_rayservice_name`: characters that the name of a RayService may have
    - `hashes_tolerations`: a changed toleration or scheduling gate of a pod template starts a
      second cluster; else it reaches no pod of a live one
    - `checks_group_ranges`: a worker group's negative or contradictory numbers of workers, and a
      negative idle timeout, are refused
    - `has_incremental_upgrade`: the strategy NewClusterWithIncrementalUpgrade exists
    - `has_suspend`: a RayService has the field `suspend`
    """

    version: str
    max_rayservice_name: Annotated[int, Gt(0)]
    hashes_tolerations: bool
    checks_group_ranges: bool
    has_incremental_upgrade: bool
    has_suspend: bool


@cache
def _data() -> dict[str, list[dict[str, Any]]]:
    data: dict[str, list[dict[str, Any]]] = data_file.read("releases.yaml")
    return data


@cache
def ray_releases() -> Mapping[str, RayRelease]:
    """Return the Ray releases by version, oldest first."""
    rows = [RayRelease.model_validate(row) for row in _data()["ray"]]
    return MappingProxyType({row.ray: row for row in rows})


def suitable_rays(suits: Callable[[RayRelease], bool]) -> tuple[str, ...]:
    """Return every Ray that suits, those that run in a whole cluster first, then oldest first."""
    rows = [row for row in ray_releases().values() if suits(row)]
    return tuple(row.ray for row in sorted(rows, key=lambda row: row.tested is not Tested.CLUSTER))


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
