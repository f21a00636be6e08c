"""What the local cloud is told of the project that it serves.

It stands for Google, Kubernetes and vLLM and does not know the product. What it needs
from it is in `[tool.localcloud]` of the repository's pyproject.toml.
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
    """`token_key` is the config key of the token that stack files get which have none.

    `vllm_arguments` is the file with the engine arguments that the stand-in for vLLM takes;
    `preloaded` is what its programs import, as `pkgutil.resolve_name` takes it.
    """

    token_key: str
    vllm_arguments: Path
    preloaded: tuple[str, ...]


@functools.cache
def served_project() -> ServedProject:
    """The project of this checkout. Raises KeyError when pyproject.toml does not describe it."""
    content = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    told = content["tool"]["localcloud"]
    return ServedProject(
        token_key=told["token-key"],
        vllm_arguments=CHECKOUT / told["vllm-arguments"],
        preloaded=tuple(told["preloaded"]),
    )
