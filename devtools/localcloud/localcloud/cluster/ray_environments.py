"""The Ray releases that pods can run on this machine: a locked environment for each.

The image of a pod chooses the environment, by the release in its tag. An image without an
environment behaves as one that cannot be pulled (pod.py).

Each folder `ray/<name>` defines one environment by a lock file and a pyproject.toml, whose table
`[tool.localcloud]` has these keys:

- `ray` and `vllm`: the releases that the image holds.
- `engine`: `stand-in`, or the name of another engine, which `cluster up --engine` chooses. A
  cluster runs each release with one engine; the stacks do not know which.
- `megabytes`: the size of the installed environment.
- `python-path`: folders whose modules Python finds first, relative to this one.
- `variables`: variables of each Ray pod.

An environment with an engine that loads models has these too:

- `hub`: whether its pods download models from the hub on this machine (real_engine/hub.py);
  otherwise they are offline.
- `forks`: whether its Python processes may be forks of one that has imported their libraries; by
  default they may.
- `programs`: the programs of this machine that its installation runs.
- `minutes`: how long its installation takes, as it is said beforehand.
- `finish`: scripts, relative to this folder, that the environment's Python runs once uv is done;
  each gets the folder of the environment.
"""

import hashlib
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from localcloud.served_project import served_project

DEFINITIONS: Final = Path(__file__).parent / "ray"
# What all releases share: the pod's network, the forks and the commands of a pod.
STANDINS: Final = DEFINITIONS / "standins"
STAND_IN: Final = "stand-in"
_TAG: Final = re.compile(r":(?P<tag>[\w.-]+)(@.+)?$")
_RELEASE: Final = re.compile(r"(?<![\d.])\d+\.\d+\.\d+(?!\.?\d)")


@dataclass(frozen=True)
class RayEnvironment:
    """One release of Ray with an engine, as an image holds them.

    `definition` is the folder with its lock file, `installed` the one with its Python.
    """

    release: str
    engine: str
    vllm_arguments: Path
    megabytes: int
    python_path: tuple[Path, ...]
    variables: Mapping[str, str]
    definition: Path
    installed: Path
    hub: bool = False
    forks: bool = True
    programs: tuple[str, ...] = ()
    minutes: str = ""
    finish: tuple[Path, ...] = ()

    @property
    def model(self) -> Path:
        """The files of the model that the hub has, if there is one."""
        return self.installed / "tiny-model"

    def __str__(self) -> str:
        """Release and engine, for messages."""
        return self.release if self.engine == STAND_IN else f"{self.release} ({self.engine})"

    def fork_server(self, folder: Path) -> Path:
        """The socket of the fork server for this environment's Python, in a cluster's folder."""
        return folder / f"forks-{self.definition.name}"


def environment_in(definition: Path, programs: Path) -> RayEnvironment:
    """The environment that a folder defines, as it is installed among the programs."""
    content = tomllib.loads((definition / "pyproject.toml").read_text(encoding="utf-8"))
    table = content["tool"]["localcloud"]
    finish = tuple((definition / path).resolve() for path in table.get("finish", ()))
    sources = b"".join(path.read_bytes() for path in (definition / "uv.lock", *finish))
    lock = hashlib.sha256(sources).hexdigest()[:12]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return RayEnvironment(
        release=table["ray"],
        engine=table["engine"],
        vllm_arguments=served_project().vllm_arguments(table["vllm"]),
        megabytes=table["megabytes"],
        python_path=(*((definition / path).resolve() for path in table["python-path"]), STANDINS),
        variables=table["variables"],
        definition=definition,
        installed=programs / f"ray-{definition.name}-py{python}-{lock}",
        hub=table.get("hub", False),
        forks=table.get("forks", True),
        programs=tuple(table.get("programs", ())),
        minutes=table.get("minutes", ""),
        finish=finish,
    )


def defined(programs: Path) -> list[RayEnvironment]:
    """All environments, the oldest release first."""
    found = [environment_in(path.parent, programs) for path in DEFINITIONS.glob("*/pyproject.toml")]
    return sorted(found, key=lambda each: ([*map(int, each.release.split("."))], each.engine))


def chosen(
    environments: list[RayEnvironment], releases: list[str] | None, engine: str
) -> list[RayEnvironment]:
    """One environment for each of these releases, or for all.

    With another engine than the stand-in, the releases that have no environment with it keep the
    stand-in. Raises ValueError with one sentence for a release or an engine that there is not.
    """
    known = list(dict.fromkeys(each.release for each in environments))
    for release in releases or []:
        if release not in known:
            raise ValueError(f"there is no environment with Ray {release}, only {_listed(known)}.")
    wanted = [each for each in environments if not releases or each.release in releases]
    engines = sorted({each.engine for each in wanted})
    if engine not in engines:
        raise ValueError(
            f"there is no environment with the engine {engine}, only {_listed(engines)}."
        )
    by_release = {each.release: each for each in wanted if each.engine == STAND_IN}
    by_release |= {each.release: each for each in wanted if each.engine == engine}
    return list(by_release.values())


def environment_of(image: str, environments: tuple[RayEnvironment, ...]) -> RayEnvironment | None:
    """The environment with the release in the image's tag, whatever its registry."""
    tag = _TAG.search(image)
    found = _RELEASE.search(tag["tag"]) if tag else None
    for each in environments:
        if found and each.release == found[0]:
            return each
    return None


def _listed(names: list[str]) -> str:
    return ", ".join(names)
