"""The forms in which Envoy reads its configuration: typed objects and lists of resources."""

import json
from typing import Any

_PREFIX = "type.googleapis.com/"


def typed(message: str, **fields: Any) -> dict[str, Any]:
    """An object of one of Envoy's messages, named without `envoy.`: `config.cluster.v3.Cluster`."""
    return {"@type": f"{_PREFIX}envoy.{message}", **fields}


def file_text(value: dict[str, Any]) -> str:
    """The text of a file; one item a line, so that a diff shows what changes."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def resources(*items: dict[str, Any]) -> str:
    """The text of a watched file: all resources of one kind."""
    return file_text({"resources": list(items)})


def watched_source(folder: str, file: str) -> dict[str, Any]:
    """Where a resource is read, and again whenever the mount of `folder` changes.

    Without `watched_directory` Envoy never sees that Kubernetes replaced the files.
    """
    return {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": f"{folder}/{file}",
            "watched_directory": {"path": folder},
        },
    }


def seconds(amount: float) -> str:
    """A duration as Envoy writes it."""
    return f"{amount:g}s"
