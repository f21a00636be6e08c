"""The forms in which Envoy reads its configuration: typed objects and lists of resources."""

import json
from typing import Any

_PREFIX = "type.googleapis.com/"
_LINE = 200


def typed(message: str, **fields: Any) -> dict[str, Any]:
    """An object of one of Envoy's messages, named without `envoy.`: `config.cluster.v3.Cluster`."""
    return {"@type": f"{_PREFIX}envoy.{message}", **fields}


def file_text(value: dict[str, Any]) -> str:
    """The text of a file as JSON.

    What fits stays on one line, so that a diff shows what changes and a ConfigMap holds many
    models.
    """
    return _text(value) + "\n"


def _text(value: Any) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= _LINE or not value:
        return line
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_text(item)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + "\n}"
    if isinstance(value, list | tuple):
        return "[\n" + ",\n".join(map(_text, value)) + "\n]"
    return line


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
