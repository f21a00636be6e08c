"""What the name and tag of a container image say about its content, before a node pulls 10 GB."""

import re
from collections.abc import Iterable
from typing import Final

from models.catalog import RayRelease, ray_releases, release_number
from models.problems import Problem, Severity
from models.values_meant import ways_to_release
from models.ways_out import WayOut, outside, use

# Images that lack Ray Serve LLM, by the last two parts of their names, so that mirrors count.
# https://docs.ray.io/en/latest/serve/llm/quick-start.html asks for rayproject/ray-llm.
_WITHOUT_SERVE_LLM: Final = {
    "rayproject/ray": "of Ray without vLLM: ray.serve.llm fails there with an ImportError",
    "rayproject/ray-ml": "of Ray without vLLM: ray.serve.llm fails there with an ImportError",
    "vllm/vllm-openai": "of vLLM's own server, without Ray Serve",
    "vllm-openai/vllm": "of vLLM's own server, without Ray Serve",
}
_OFFICIAL: Final = "rayproject/ray-llm"
_VERSION: Final = re.compile(r"(\d+\.\d+\.\d+)(?=$|[-.])")
# As the official images are tagged: a copy in another registry keeps it.
_OFFICIAL_TAG: Final = re.compile(
    r"\d+\.\d+\.\d+(\.[0-9a-f]+)?(-extra)?-py3\d+-(cu\d[\d.]*|gpu)(-\w+)*"
)
# A word of a tag, as in ray2.58.1-cu128 or v1-ray-2.58.1.
_SPEAKS_OF_RAY: Final = re.compile(r"(?:^|[-_.])ray(?:$|[-_.\d])")
_RELEASE: Final = re.compile(r"(?:^|[-_.v]|ray)(\d+\.\d+\.\d+)(?=$|[-_.+]|rc)")
# https://github.com/ray-project/ray/releases/tag/ray-2.44.0 introduces ray.serve.llm.
_FIRST_WITH_SERVE_LLM: Final = (2, 44, 0)
_NEXT_MAJOR: Final = (3, 0, 0)
_CUDA: Final = re.compile(r"(?:^|[-_.])cu(?:da)?-?(\d{2})\.?(\d)(?:$|[-_.])")
_OTHER_PROCESSOR: Final = re.compile(r"(^|[-_])(aarch64|arm64)($|[-_])")
_MOVING: Final = frozenset({"", "latest", "nightly", "main", "dev"})


def cuda_of_image(image: str) -> tuple[int, int] | None:
    """The CUDA release that an image's tag names, cu128 as (12, 8); None if it names none."""
    match = _CUDA.search(_split(image.partition("@")[0])[1])
    return None if match is None else (int(match[1]), int(match[2]))


def image_problems(image: str, ray: RayRelease, path: str) -> Iterable[Problem]:
    """Reasons in an image's name not to use it for a cluster of this Ray release."""
    name, _, digest = image.partition("@")
    repository, tag = _split(name)
    ending = "/".join(repository.split("/")[-2:])
    lacks = _WITHOUT_SERVE_LLM.get(ending)
    if lacks is not None:
        yield Problem(
            path=path,
            value=image,
            reason=f"is an image {lacks}",
            remedy="Use an image that holds both",
            rule="image-without-vllm",
            candidates=(
                use(path, ray.image, f"use {ray.image}"),
                outside("use an image of your own that holds both"),
            ),
        )
        return
    if _OTHER_PROCESSOR.search(tag):
        yield Problem(
            path=path,
            value=image,
            reason="is for ARM processors, and all machines of the catalogue are x86: its pods "
            "would end with an exec format error",
            remedy="Use an image for x86",
            rule="image-processor",
            candidates=(use(path, ray.image, f"use {ray.image}"),),
        )
    version = _VERSION.match(tag)
    own = repository.rpartition("/")[2]
    copied = "ray-llm" in own and _OFFICIAL_TAG.fullmatch(tag) is not None
    other = _other_release(repository, tag, ray)
    if (ending == _OFFICIAL or copied) and version is not None and version[1] != ray.ray:
        yield Problem(
            path=path,
            value=image,
            reason=f"holds Ray {version[1]}, and the configuration is written for Ray {ray.ray}",
            remedy=f"Use an image with Ray {ray.ray}",
            rule="image-version",
            candidates=(
                *_versions_ray(version[1]),
                use(path, ray.image, f"use {ray.image}"),
            ),
        )
    elif other is not None:
        yield Problem(
            path=path,
            value=image,
            reason=f"has a name that reads like Ray {other}, and the configuration is written for "
            f"Ray {ray.ray}",
            remedy=f"Use an image with Ray {ray.ray}",
            rule="image-version",
            severity=Severity.WARN,
            candidates=(*_versions_ray(other), outside(f"use an image with Ray {ray.ray}")),
        )
    elif not digest and tag.split("-")[0] in _MOVING:
        yield Problem(
            path=path,
            value=image,
            reason="names an image that can change under the same tag: nodes that start later may "
            "run another Ray than the head, and a new image is not rolled out",
            remedy="Give a tag with a version, or a digest",
            rule="image-unpinned",
            severity=Severity.WARN,
        )


def is_official(image: str) -> bool:
    """Whether an image is Ray's own with vLLM, or a mirror of it under the same name."""
    repository, _ = _split(image.partition("@")[0])
    return repository.endswith(f"/{_OFFICIAL}") or repository == _OFFICIAL


def _versions_ray(version: str) -> Iterable[WayOut]:
    """The way out of another release, if the release table has it."""
    return ways_to_release(version if version in ray_releases() else None)


def _other_release(repository: str, tag: str, ray: RayRelease) -> str | None:
    """Another release of Ray that an own image's name or tag says; None if it may be this one.

    An own image may be numbered as its owner likes: only the numbers of Ray with Serve LLM count.
    """
    name = repository.rpartition("/")[2]
    speaks_of_ray = "ray" in name or _SPEAKS_OF_RAY.search(tag) is not None
    if not speaks_of_ray and not _OFFICIAL_TAG.fullmatch(tag):
        return None
    named = [
        version
        for version in (*_RELEASE.findall(tag), *_RELEASE.findall(name))
        if _FIRST_WITH_SERVE_LLM <= release_number(version) < _NEXT_MAJOR
    ]
    return named[0] if named and ray.ray not in named else None


def _split(name: str) -> tuple[str, str]:
    """Split an image into repository and tag ("" if none); a registry's port is not a tag."""
    head, slash, last = name.rpartition("/")
    repository, _, tag = last.partition(":")
    return f"{head}{slash}{repository}", tag
