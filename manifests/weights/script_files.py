"""Writes the ConfigMap with the program that the Job runs, and the command that starts it."""

import hashlib
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Final

from manifests.labels import labels
from manifests.weights.access import FILLER
from planning import Plan

FOLDER: Final = "/opt/fill-weights"
VOLUME: Final = "fill-weights"
_PACKAGE: Final = "manifests.weights.script"
COMMAND: Final = (
    "python3",
    "-c",
    f"import sys; sys.path.insert(0, '{FOLDER}'); "
    f"from {_PACKAGE}.main import main; sys.exit(main())",
)


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
    """The ConfigMap, named after a hash of its files, as that of the smoke test."""
    texts = {_key(path): text for path, text in script_files().items()}
    content = "\0".join(f"{name}\0{text}" for name, text in texts.items())
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{FILLER}-{hashlib.sha256(content.encode()).hexdigest()[:10]}",
            "namespace": plan.service.namespace,
            "labels": labels(plan, FILLER),
        },
        "data": texts,
    }


def script_volume(config_map: dict[str, Any]) -> dict[str, Any]:
    """The Job's volume: the files of `config_map` at their paths."""
    return {
        "name": VOLUME,
        "configMap": {
            "name": config_map["metadata"]["name"],
            "items": [{"key": _key(path), "path": path} for path in script_files()],
        },
    }


def _key(path: str) -> str:
    """A key of a ConfigMap, which has no slashes."""
    return path.replace("/", "..")
