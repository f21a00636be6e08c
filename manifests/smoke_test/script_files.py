"""Writes the ConfigMap with the program that the Job runs, and the command that starts it."""

import hashlib
from functools import cache
from importlib import resources
from typing import Any

from manifests.labels import labels
from manifests.smoke_test.access import NAME
from planning import Plan

FOLDER = "/opt/smoke-test"
VOLUME = "smoke-test"
# Inside the folder the files are a package, so that they can import each other as they do here.
PACKAGE = "smoke_test"
# Not PYTHONPATH: an image may set that itself, and this must not replace it.
COMMAND = (
    "python3",
    "-c",
    f"import sys; sys.path.insert(0, '{FOLDER}'); "
    f"from {PACKAGE}.main import main; sys.exit(main())",
)


@cache
def script_files() -> dict[str, str]:
    """The program's files by name, in alphabetical order."""
    folder = resources.files("manifests.smoke_test") / "script"
    files = sorted(item.name for item in folder.iterdir() if item.name.endswith(".py"))
    return {name: (folder / name).read_text(encoding="utf-8") for name in files}


def script_config_map(plan: Plan) -> dict[str, Any]:
    """The ConfigMap, named after a hash of its files.

    A new version is therefore another object: a Job of an update that was killed keeps the files
    that it was started with.
    """
    text = "\0".join(f"{name}\0{content}" for name, content in script_files().items())
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{NAME}-{hashlib.sha256(text.encode()).hexdigest()[:10]}",
            "namespace": plan.service.namespace,
            "labels": labels(plan, NAME),
        },
        "data": dict(script_files()),
    }


def script_volume(config_map: dict[str, Any]) -> dict[str, Any]:
    """The Job's volume: the files of `config_map` as a package."""
    return {
        "name": VOLUME,
        "configMap": {
            "name": config_map["metadata"]["name"],
            "items": [{"key": name, "path": f"{PACKAGE}/{name}"} for name in config_map["data"]],
        },
    }
