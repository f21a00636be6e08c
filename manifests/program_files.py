"""The ConfigMap of a program that pods run, its volume, and the command that starts it.

A key of a ConfigMap has letters, digits, "-", "_" and "." only. The volume puts each file at its
path again, so that the files import each other in the pod as they do here.
"""

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from manifests.labels import labels
from planning import Plan


def python_command(folder: str, module: str) -> tuple[str, ...]:
    """The command that calls `main` of a module below a folder of the pod.

    Not PYTHONPATH: an image may set that itself, and this must not replace it.
    """
    start = f"from {module} import main; sys.exit(main())"
    return ("python3", "-c", f"import sys; sys.path.insert(0, '{folder}'); {start}")


def program_config_map(
    plan: Plan,
    name: str,
    texts: Mapping[str, str],
    binaries: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The ConfigMap, named after a hash of its files.

    A new version is therefore another object: a Job of an update that was killed keeps the files
    that it was started with.

    name: its beginning, and what it is a part of. texts, binaries: by key; binaries in base64.
    """
    content = "\0".join(f"{key}\0{text}" for key, text in (*texts.items(), *binaries.items()))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:10]}",
            "namespace": plan.service.namespace,
            "labels": labels(plan, name),
        },
        "data": dict(texts),
        **({"binaryData": dict(binaries)} if binaries else {}),
    }


def program_volume(
    volume: str, config_map: Mapping[str, Any], paths: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """The volume with files of a ConfigMap; paths: each key, and where its file lies."""
    return {
        "name": volume,
        "configMap": {
            "name": config_map["metadata"]["name"],
            "items": [{"key": key, "path": path} for key, path in paths],
        },
    }


def key_of(path: str) -> str:
    """A path as the key of a ConfigMap."""
    return path.replace("/", "..").replace("+", "-plus-")
