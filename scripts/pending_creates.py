"""Adds the Google Cloud resources whose creation was interrupted to the state of a stack.

An engine that is killed during a create does not know whether the create succeeded. The next `up`
takes over Kubernetes objects, but for a cluster or a node pool Google answers that it already
exists. This script turns such pending creates into resources of the state. The refresh after it
reads them and removes those that were never created:

    pulumi stack export --stack prod | python -m scripts.pending_creates \\
        | pulumi stack import --stack prod && pulumi refresh --stack prod
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

# The ids by which Google's provider reads them, from the inputs of the create.
_IDS = {
    "gcp:container/cluster:Cluster": "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": (
        "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}"
    ),
}


def with_pending_creates(export: Mapping[str, Any]) -> dict[str, Any]:
    """An exported stack whose pending clusters and pools have become resources with ids."""
    deployment = export["deployment"]
    resources = list(deployment.get("resources") or ())
    pending = []
    for operation in deployment.get("pending_operations") or ():
        resource = operation["resource"]
        pattern = _IDS.get(resource["type"])
        if operation["type"] == "creating" and pattern is not None:
            # At the end, because nothing that depends on it can exist yet.
            resources.append({**resource, "id": pattern.format_map(resource["inputs"])})
        else:
            pending.append(operation)
    amended = {**deployment, "resources": resources, "pending_operations": pending}
    return {**export, "deployment": amended}


def main() -> None:
    """Amend an exported stack from standard input to standard output."""
    try:
        amended = with_pending_creates(json.load(sys.stdin))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        sys.exit("stdin: not an exported stack. Pipe in the output of `pulumi stack export`.")
    json.dump(amended, sys.stdout)


if __name__ == "__main__":
    main()
