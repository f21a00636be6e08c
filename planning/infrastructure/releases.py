"""Which Ray, vLLM and KubeRay run together, and in which image.

Combinations come from the release table; one outside it is refused, because what this program
writes differs between releases.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from models.catalog import (
    DEFAULT_KUBERAY,
    DEFAULT_RAY,
    KubeRayRelease,
    RayRelease,
    Release,
    Tested,
    kuberay_releases,
    ray_releases,
    release_number,
    releases_meant,
    vllm_versions,
)
from models.mirror import in_mirror
from models.problems import Problem, Severity
from models.stack import KubeRayInstall, Versions
from models.ways_out import leave_out, outside, use
from planning.infrastructure.container_image import image_problems
from planning.infrastructure.image_reference import image_reference_problems
from planning.plan import ReleasePlan

_PATH: Final = "ray-llm:versions"
_NEWEST: Final = re.compile(r"latest|newest|stable|current|nightly|main|master|default|auto|\*")
_DEFAULTS: Final = {"ray": DEFAULT_RAY, "kuberay": DEFAULT_KUBERAY}


def release_plan(
    versions: Versions, install: KubeRayInstall
) -> tuple[ReleasePlan | None, tuple[Problem, ...]]:
    """The releases to run; None with the reasons if they do not go together."""
    ray = ray_releases().get(versions.ray)
    kuberay = kuberay_releases().get(versions.kuberay)
    problems = [
        *_unknown("ray", versions.ray, ray, ray_releases()),
        *_unknown("kuberay", versions.kuberay, kuberay, kuberay_releases()),
    ]
    if versions.vllm is not None and versions.vllm not in vllm_versions():
        problems.append(
            Problem(
                path=f"{_PATH}.vllm",
                value=versions.vllm,
                reason="is not in the release table",
                remedy=f"Use an image with one of {', '.join(vllm_versions())}",
                rule="release-unknown",
            )
        )
    if versions.vllm is not None and versions.image is None:
        problems.append(
            Problem(
                path=f"{_PATH}.vllm",
                value=versions.vllm,
                reason="says which vLLM your own image holds, but no image is given",
                remedy="Give versions.image as well, or leave vllm out",
                rule="release-image",
                candidates=(
                    leave_out(f"{_PATH}.vllm", "leave vllm out"),
                    outside("give versions.image as well"),
                ),
            )
        )
    unreadable = _unreadable_image(versions)
    if ray is None or kuberay is None or problems:
        return None, (*problems, *unreadable)
    problems += unreadable or _combination(ray, kuberay, versions)
    plan = ReleasePlan(
        ray=ray,
        kuberay=kuberay,
        image=versions.image or in_mirror(ray.image, versions.mirror),
        vllm=versions.vllm or ray.vllm,
        install=install,
        ray_is_named="ray" in versions.model_fields_set,
        kuberay_is_named="kuberay" in versions.model_fields_set,
        mirror=versions.mirror,
    )
    return plan, tuple(problems)


def _unreadable_image(versions: Versions) -> tuple[Problem, ...]:
    if versions.image is None:
        return ()
    ray = ray_releases().get(versions.ray, ray_releases()[DEFAULT_RAY])
    return tuple(image_reference_problems(versions.image, ray.image, f"{_PATH}.image"))


def _unknown(
    key: str, version: str, row: Release | None, known: Mapping[str, Release]
) -> Iterable[Problem]:
    if row is not None:
        return
    path, default = f"{_PATH}.{key}", _DEFAULTS[key]
    if _NEWEST.fullmatch(version.lower()):
        yield Problem(
            path=path,
            value=version,
            reason="is no release, and a stack that follows the newest one would replace its "
            "cluster, with twice the GPUs meanwhile, in whichever `pulumi up` comes after it",
            remedy=f"The table has {', '.join(known)}",
            rule="release-unknown",
            candidates=(use(path, default),),
        )
        return
    yield Problem(
        path=path,
        value=version,
        reason=_below_the_floor(key, version, known) or "is not in the release table",
        remedy=f"The table has {', '.join(known)}",
        rule="release-unknown",
        candidates=(
            use(path, near, f"use {near}", group="release") for near in _by_distance(version, known)
        ),
    )


def _below_the_floor(key: str, version: str, known: Iterable[str]) -> str | None:
    """Why a KubeRay older than all of the table is not in it; None for any other release."""
    oldest = next(iter(known))
    try:
        older = release_number(version) < release_number(oldest)
    except ValueError:
        return None
    if key != "kuberay" or not older:
        return None
    return (
        f"is older than {oldest}, the first KubeRay that keeps a changed serve config from the old "
        "cluster while a new one starts (kuberay#3423)"
    )


def _by_distance(version: str, known: Iterable[str]) -> Iterable[str]:
    """The releases that a shortened number means, and the nearest to it first.

    They are in the table's order if it has too many digits.
    """
    meant = releases_meant(version, known)
    if meant:
        return tuple(reversed(meant))
    try:
        wanted = release_number(version)
    except ValueError:
        return tuple(known)
    return sorted(
        known,
        key=lambda other: [abs(a - b) for a, b in zip(release_number(other), wanted, strict=False)],
    )


def _combination(ray: RayRelease, kuberay: KubeRayRelease, versions: Versions) -> Iterable[Problem]:
    if versions.image:
        yield from image_problems(versions.image, ray, f"{_PATH}.image")
    yield from _vllm_of_image(ray, versions)
    yield from _untested("ray", ray.ray, ray, ray_releases())
    yield from _untested("kuberay", kuberay.version, kuberay, kuberay_releases())


def _untested(
    key: str, version: str, row: Release, rows: Mapping[str, Release]
) -> Iterable[Problem]:
    """A warning about a release that is not run in a whole cluster, with what is run of it."""
    if row.tested is Tested.CLUSTER:
        return
    whole = [other for other, found in rows.items() if found.tested is Tested.CLUSTER]
    yield Problem(
        path=f"{_PATH}.{key}",
        value=version,
        reason=f"{_RUN[row.tested]}; of the table {' and '.join(whole)} "
        f"{'is' if len(whole) == 1 else 'are'} run in a whole cluster",
        remedy="Try it on a development stack first",
        rule="release-untested",
        severity=Severity.WARN,
    )


_RUN: Final[Mapping[Tested, str]] = {
    Tested.SERVE: "is run by this project on Ray Serve alone, without KubeRay and its cluster",
    Tested.CRDS: "is not run by this project, which only upgrades from its CRDs",
    Tested.NOTHING: "is not run by this project",
}


def _vllm_of_image(ray: RayRelease, versions: Versions) -> Iterable[Problem]:
    """Compares an image's vLLM with the oldest that Ray's `llm` extra accepts, the tested one."""
    stated = versions.vllm
    if stated is None or stated not in vllm_versions() or stated == ray.vllm:
        return
    older = release_number(stated) < release_number(ray.vllm)
    yield Problem(
        path=f"{_PATH}.vllm",
        value=stated,
        reason=f"is older than vLLM {ray.vllm}, the oldest that Ray {ray.ray} accepts"
        if older
        else f"is newer than vLLM {ray.vllm}, with which Ray {ray.ray} was released: its LLM "
        "server imports parts of vLLM that move between releases",
        remedy=f"Use vLLM {ray.vllm} in the image"
        if older
        else f"Try it on a development stack first, or use vLLM {ray.vllm}",
        rule="release-vllm",
        severity=Severity.STOP if older else Severity.WARN,
    )
