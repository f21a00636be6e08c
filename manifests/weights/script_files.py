"""Writes the ConfigMap with the program that the Job runs, and the command that starts it."""

from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Final

from manifests.program_files import (
    key_of,
    program_config_map,
    program_volume,
    python_command,
)
from manifests.weights.access import FILLER
from planning import Plan

FOLDER: Final = "/opt/fill-weights"
VOLUME: Final = "fill-weights"
_PACKAGE: Final = "manifests.weights.script"
COMMAND: Final = python_command(FOLDER, f"{_PACKAGE}.main")


@cache
def script_files() -> dict[str, str]:
    """The program's files by their paths, in alphabetical order."""
    folder = resources.files("manifests.weights") / "script"
    root = PurePosixPath(_PACKAGE.replace(".", "/"))
    texts = {
        str(root / item.name): item.read_text("utf-8")
        for item in folder.iterdir()
        if item.name.endswith(".py")
    }
    # Empty beginnings of the packages around it: the real ones import what the pod does not have.
    for parent in list(root.parents)[:-1]:
        texts[f"{parent}/__init__.py"] = ""
    return dict(sorted(texts.items()))


def script_config_map(plan: Plan) -> dict[str, Any]:
    """The ConfigMap of the program."""
    texts = {key_of(path): text for path, text in script_files().items()}
    return program_config_map(plan, FILLER, texts)


def script_volume(config_map: dict[str, Any]) -> dict[str, Any]:
    """The Job's volume: the files of `config_map` at their paths."""
    return program_volume(VOLUME, config_map, ((key_of(path), path) for path in script_files()))
