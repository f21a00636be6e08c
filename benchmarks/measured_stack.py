"""Runs pulumi commands on one stack and says what each costs; a process of benchmarks/updates.py.

It runs with the Python of the checkout that is measured, perhaps an earlier one, whose own local
cloud it uses. Each line of its input is a JSON list, the arguments of a pulumi command; each line
of its output is a JSON object with exit code, output, cost, and bytes of the stack's state.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.accounting import measured
from localcloud.cloud import LocalCloud


def _cluster_cloud(home: Path, cache: Path, *, forks: bool) -> tuple[LocalCloud, int | None]:
    """The cloud of the cluster that runs in a home folder, and its fork server's process id."""
    from localcloud.cluster.cluster_cloud import ClusterCloud
    from localcloud.cluster.cluster_state import ClusterState

    class WithoutForks(ClusterCloud):
        """Each of its Python processes imports its libraries, as a user's do."""

        forks = None
        # An earlier checkout's local cloud has no `forks`.
        module_script = LocalCloud.module_script

    state = ClusterState.read(home / "cluster")
    assert state is not None, f"no cluster is up in {home}"
    if not forks:
        return WithoutForks(state, engine_cache=cache), None
    return ClusterCloud(state, engine_cache=cache), _fork_server(f"{state.temp}/pulumi-forks-")


def _fork_server(socket: str) -> int:
    """The id of the process with an argument that starts so."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if any(argument.startswith(socket) for argument in arguments):
            return int(folder.name)
    raise LookupError(f"no process has an argument {socket}")


def main() -> None:
    """Answer until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--cluster", choices=["forks", "no-forks"])
    options = parser.parse_args()
    # Only the answers go to stdout.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    cloud, fork_server = LocalCloud(options.home, engine_cache=options.cache), None
    if options.cluster:
        cloud, fork_server = _cluster_cloud(
            options.home, options.cache, forks=options.cluster == "forks"
        )
    project = cloud.project(options.project)
    # What is made once, such as the stack, is no part of a command's cost.
    project.pulumi("stack", "--stack", options.stack)
    workspace = project.workspace
    stacks = workspace.state / ".pulumi" / "stacks" / workspace.name
    for line in sys.stdin:
        arguments = [*json.loads(line), "--stack", options.stack]
        cost, code, output = measured(lambda: project.start(*arguments), fork_server)  # noqa: B023
        state = stacks / f"{options.stack}.json"
        answer = {
            "code": code,
            "output": output,
            "cost": asdict(cost),
            "state_bytes": state.stat().st_size if state.exists() else 0,
        }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
