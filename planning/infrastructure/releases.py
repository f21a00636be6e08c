"""Which Ray, vLLM and KubeRay run together, and in which image.

Combinations come from the release table; one outside it is refused, because what this program
writes differs between releases.
"""

from collections.abc import Iterable, Sequence

from models.catalog import (
    KubeRayRelease,
    RayRelease,
    kuberay_releases,
    ray_releases,
    release_number,
    vllm_versions,
)
from models.problems import Problem, Severity
from models.stack import KubeRayInstall, Versions
from models.ways_out import leave_out, outside, use
from planning.infrastructure.container_image import image_problems
from planning.plan import ReleasePlan

_PATH = "ray-llm:versions"


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
    if ray is None or kuberay is None or problems:
        return None, tuple(problems)
    problems += _combination(ray, kuberay, versions)
    plan = ReleasePlan(
        ray=ray,
        kuberay=kuberay,
        image=versions.image or ray.image,
        vllm=versions.vllm or ray.vllm,
        install=install,
    )
    return plan, tuple(problems)


def _unknown(key: str, version: str, row: object, known: Iterable[str]) -> Iterable[Problem]:
    if row is None:
        yield Problem(
            path=f"{_PATH}.{key}",
            value=version,
            reason="is not in the release table",
            remedy=f"The table has {', '.join(known)}",
            rule="release-unknown",
            candidates=(
                use(f"{_PATH}.{key}", near, f"use {near}", group="release")
                for near in _by_distance(version, known)
            ),
        )


def _by_distance(version: str, known: Iterable[str]) -> Iterable[str]:
    """The releases nearest to a number first; in the table's order if it has too many digits."""
    try:
        wanted = release_number(version)
    except ValueError:
        return tuple(known)
    return sorted(
        known,
        key=lambda other: [abs(a - b) for a, b in zip(release_number(other), wanted, strict=False)],
    )


def _combination(ray: RayRelease, kuberay: KubeRayRelease, versions: Versions) -> Iterable[Problem]:
    if release_number(kuberay.version) < release_number(ray.min_kuberay):
        yield Problem(
            path=f"{_PATH}.kuberay",
            value=kuberay.version,
            reason=f"cannot run Ray {ray.ray}, which needs KubeRay {ray.min_kuberay} or newer",
            remedy="Use a newer KubeRay",
            rule="release-combination",
            candidates=(
                use(f"{_PATH}.kuberay", row, group="release")
                for row in kuberay_releases()
                if release_number(row) >= release_number(ray.min_kuberay)
            ),
        )
    if release_number(ray.ray) < release_number(kuberay.min_ray):
        yield Problem(
            path=f"{_PATH}.ray",
            value=ray.ray,
            reason=f"is older than Ray {kuberay.min_ray}, which KubeRay {kuberay.version} needs",
            remedy="Use a newer Ray",
            rule="release-combination",
            candidates=(
                use(f"{_PATH}.ray", row, group="release")
                for row in ray_releases()
                if release_number(row) >= release_number(kuberay.min_ray)
            ),
        )
    if versions.image:
        yield from image_problems(versions.image, ray, f"{_PATH}.image")
    yield from _vllm_of_image(ray, versions)
    if not ray.tested:
        tested = [row.ray for row in ray_releases().values() if row.tested]
        yield _untested("ray", ray.ray, tested)
    if not kuberay.tested:
        tested = [row.version for row in kuberay_releases().values() if row.tested]
        yield _untested("kuberay", kuberay.version, tested)


def _untested(key: str, version: str, tested: Sequence[str]) -> Problem:
    return Problem(
        path=f"{_PATH}.{key}",
        value=version,
        reason=f"is in the release table, but only {' and '.join(tested)} "
        f"{'is' if len(tested) == 1 else 'are'} run by this project's tests",
        remedy="Try it on a development stack first",
        rule="release-untested",
        severity=Severity.WARN,
    )


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
