"""Names the Google Cloud resources that an interrupted `up` created behind Pulumi's back.

An engine that is killed in the middle of a create does not learn whether it happened. Kubernetes
objects are taken over by the next `up`; of a cluster or node pool Google says then that it already
exists. This reads the stack's pending creates and prints the command that brings them into the
state:

    pulumi stack export --stack prod | python -m scripts.pending_creates --stack prod

It prints nothing where nothing is pending.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import Any

# The ids under which Google's provider reads these, from the inputs of their create.
_IDS = {
    "gcp:container/cluster:Cluster": "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": (
        "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}"
    ),
}


def pending_creates(export: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """URN and provider id of each pending create of an exported stack that can be read back."""
    for operation in export["deployment"].get("pending_operations") or ():
        resource = operation["resource"]
        pattern = _IDS.get(resource["type"])
        if operation["type"] == "creating" and pattern is not None:
            yield resource["urn"], pattern.format_map(resource["inputs"])


def adopt_command(export: Mapping[str, Any], stack: str) -> list[str]:
    """The arguments of `pulumi` that adopt what is pending; empty where nothing is."""
    pairs = list(pending_creates(export))
    if not pairs:
        return []
    words = [word for pair in pairs for word in pair]
    flags = [part for word in words for part in ("--import-pending-creates", word)]
    return ["refresh", "--stack", stack, "--yes", *flags]


def main() -> None:
    """Read an exported stack from standard input and print the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stack", required=True)
    stack = parser.parse_args().stack
    try:
        export = json.load(sys.stdin)
        command = adopt_command(export, stack)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        sys.exit("This is no exported stack. Pipe the output of `pulumi stack export` in here.")
    if command:
        print(shlex.join(["pulumi", *command]))


if __name__ == "__main__":
    main()
