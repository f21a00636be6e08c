"""What the local cloud knows about the project that it serves.

The local cloud simulates Google, Kubernetes and vLLM and does not import the product. All that
it needs to know is in `[tool.localcloud]` of the repository's pyproject.toml.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.store import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ServedProject:
    """The table `[tool.localcloud]`.

    `token_key` is the config key under which a stack file without a token gets one;
    `vllm_catalogue` is the folder with the engine arguments that each vLLM accepts;
    `preloaded` lists what the project's programs import, in the form that
    `pkgutil.resolve_name` takes; `program` lists the modules of the program itself.
    """

    token_key: str
    vllm_catalogue: Path
    preloaded: tuple[str, ...]
    program: tuple[str, ...]

    def vllm_arguments(self, version: str) -> Path:
        """The file with the engine arguments that this vLLM accepts."""
        return self.vllm_catalogue / f"{version}.yaml"


@functools.cache
def served_project() -> ServedProject:
    """The project of this checkout. Raises KeyError when pyproject.toml does not describe it."""
    content = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    table = content["tool"]["localcloud"]
    return ServedProject(
        token_key=table["token-key"],
        vllm_catalogue=CHECKOUT / table["vllm-catalogue"],
        preloaded=tuple(table["preloaded"]),
        program=tuple(table["program"]),
    )
