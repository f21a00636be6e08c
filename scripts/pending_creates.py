"""Gives an interrupted stack the Google Cloud resources that were made behind its back.

An engine that is killed in the middle of a create does not learn whether it happened. Kubernetes
objects are taken over by the next `up`; of a cluster or node pool Google says then that it already
exists. This turns such pending creates into resources of the state; the refresh after it reads
them, and drops again what was never made:

    pulumi stack export --stack prod | python -m scripts.pending_creates \\
        | pulumi stack import --stack prod && pulumi refresh --stack prod
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

# The ids under which Google's provider reads these, from the inputs of their create.
_IDS = {
    "gcp:container/cluster:Cluster": "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": (
        "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}"
    ),
}


def with_pending_creates(export: Mapping[str, Any]) -> dict[str, Any]:
    """An exported stack with its pending clusters and pools as resources, by their ids."""
    deployment = export["deployment"]
    resources = list(deployment.get("resources") or ())
    pending = []
    for operation in deployment.get("pending_operations") or ():
        resource = operation["resource"]
        pattern = _IDS.get(resource["type"])
        if operation["type"] == "creating" and pattern is not None:
            # At the end: nothing that depends on it can have been made.
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
        sys.exit("This is no exported stack. Pipe the output of `pulumi stack export` in here.")
    json.dump(amended, sys.stdout)


if __name__ == "__main__":
    main()
