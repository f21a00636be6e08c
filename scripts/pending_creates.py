"""Adds the resources whose creation was interrupted to the state of a stack.

An engine that is killed during a create does not know whether the create succeeded. In a cluster
that the stack has created, the next `up` takes over Kubernetes objects. But for a cluster or a node
pool Google answers that it already exists, and so does an adopted cluster for a Kubernetes object.
A refresh that drops the pending creates (`--clear-pending-creates`) changes nothing about that: it
only forgets them. This script turns pending creates into resources of the state. The refresh after
it reads them and removes those that were never created:

    pulumi stack export --stack prod | python -m scripts.pending_creates \\
        | pulumi stack import --stack prod && pulumi refresh --stack prod
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

# The ids by which the providers read them, from the inputs of the create.
_IDS = {
    "gcp:container/cluster:Cluster": "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": (
        "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}"
    ),
}


# Helm takes an interrupted release for one in progress and refuses to change it. It has to be
# uninstalled instead (https://github.com/helm/helm/issues/8987).
_HELM_RELEASE = "kubernetes:helm.sh/v3:Release"


def with_pending_creates(export: Mapping[str, Any]) -> dict[str, Any]:
    """An exported stack whose pending creates have become resources with ids.

    Of other creates than those of clusters, node pools and Kubernetes objects the id cannot be
    known: they stay pending.
    """
    deployment = export["deployment"]
    resources = list(deployment.get("resources") or ())
    pending = []
    for operation in deployment.get("pending_operations") or ():
        resource = operation["resource"]
        id_ = _id(resource) if operation["type"] == "creating" else None
        if id_ is not None:
            # At the end, because nothing that depends on it can exist yet.
            resources.append({**resource, "id": id_})
        else:
            pending.append(operation)
    amended = {**deployment, "resources": resources, "pending_operations": pending}
    return {**export, "deployment": amended}


def _id(resource: Mapping[str, Any]) -> str | None:
    inputs, type_ = resource["inputs"], resource["type"]
    if type_ in _IDS:
        return _IDS[type_].format_map(inputs)
    if not type_.startswith("kubernetes:") or type_ == _HELM_RELEASE:
        return None
    metadata = inputs.get("metadata") or {}
    names = (metadata.get("namespace"), metadata.get("name"))
    return "/".join(name for name in names if name) or None


def main() -> None:
    """Amend an exported stack from standard input to standard output."""
    try:
        amended = with_pending_creates(json.load(sys.stdin))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        sys.exit("stdin: not an exported stack. Pipe in the output of `pulumi stack export`.")
    json.dump(amended, sys.stdout)


if __name__ == "__main__":
    main()
