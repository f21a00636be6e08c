"""The dev stack with each Ray release on one local cluster, side by side.

Run: python -m benchmarks.releases [--rounds 3] [--releases 2.49.1,2.60.0] [--stack dev]
A round takes the stack from nothing to deployed and back with one release after the other, because
two deployed stacks would compete for the machine. Measured are the first `up`, the first request to
a model at zero (node, pod, replica and answer), an edit of another model with requests to the one
that is awake, and `destroy`. Ratios are taken within a round, to the first release; the figures to
quote are their medians. A round of two releases takes some two minutes on two cores.

Real are Kubernetes, KubeRay and Ray Serve. The engine starts at once, and nodes come at once, so
the figures are what Ray and KubeRay add to a real engine's start.
"""

import argparse
import copy
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.accounting import Spread, ratios
from localcloud.cluster.lifecycle import down, up
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.load import Load
from tests.cluster.releases import tested_releases, with_release
from tests.cluster.running import Cluster
from tests.engine.deployments import shipped_config

FIRST_UP, FIRST_ANSWER = "first up", "first answer from zero"
EDIT, DESTROY = "edit of another model", "destroy"
STEPS: Final = (FIRST_UP, FIRST_ANSWER, EDIT, DESTROY)
PATIENCE_SECONDS: Final = 300


class Measured:
    """One release's seconds by step, one for each round, and its requests during the edits."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {step: [] for step in STEPS}
        self.sent = 0
        self.lost = 0

    def round(self, deployment: ClusterDeployment, config: dict[str, Any]) -> None:
        """Take the stack from nothing to deployed and back."""
        awake, edited = (model["name"] for model in config["ray-llm:models"])
        deployment.write(config)
        self._timed(FIRST_UP, deployment.must_up)
        self._timed(FIRST_ANSWER, lambda: _ask(deployment.cluster, awake))
        changed = copy.deepcopy(config)
        changed["ray-llm:models"][1]["contextLength"] = 2048
        deployment.write(changed)
        with Load(deployment.cluster, (awake,)) as load:
            self._timed(EDIT, deployment.must_up)
            _ask(deployment.cluster, edited)
        self.sent += load.sent
        self.lost += len(load.lost)
        self._timed(DESTROY, deployment.destroy)

    def _timed(self, step: str, work: Any) -> None:
        began = time.monotonic()
        work()
        self.seconds[step].append(time.monotonic() - began)


def _ask(cluster: Cluster, model: str) -> None:
    answer = cluster.chat(model, model, "hello", timeout=PATIENCE_SECONDS)
    assert answer == (200, f"{model}: hello"), answer


def named(config: dict[str, Any]) -> dict[str, Any]:
    """The stack's config with its first two models, in the long form."""
    models = [m if isinstance(m, dict) else {"model": m} for m in config["ray-llm:models"]]
    names = [{"name": model.get("name", model["model"]), **model} for model in models]
    return {**config, "ray-llm:models": names[:2]}


def main() -> None:
    """Measure all rounds and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.releases", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--releases", default=",".join(reversed(tested_releases())))
    parser.add_argument("--stack", default="dev")
    options = parser.parse_args()
    releases = options.releases.split(",")
    found = {release: Measured() for release in releases}
    with tempfile.TemporaryDirectory(prefix="releases-") as folder:
        home = Path(folder)
        state = up(home, serve_port=0, dashboard_port=0, owner=os.getpid(), releases=releases)
        try:
            for number in range(options.rounds):
                # In turn first, because the machine changes during a round too.
                for release in releases[:: 1 if number % 2 == 0 else -1]:
                    config = with_release(named(shipped_config(options.stack)), release)
                    config["ray-llm:cluster"]["deletionProtection"] = False
                    where = home / f"{release}-{number}"
                    deployment = ClusterDeployment(where, options.stack, config, Cluster(state))
                    found[release].round(deployment, config)
                    print(
                        f"round {number + 1}, Ray {release}: {found[release].seconds}", flush=True
                    )
        finally:
            down(home)
    show(found)


def show(found: dict[str, Measured]) -> None:
    """Print seconds, ratios and lost requests."""
    first = next(iter(found))
    table = Table("", *(f"Ray {release}, s" for release in found), "ratio to the first")
    for step in STEPS:
        seconds = [measured.seconds[step] for measured in found.values()]
        of_first = [
            Spread.of(ratios(measured.seconds[step], found[first].seconds[step])).text(2)
            for release, measured in found.items()
            if release != first
        ]
        table.add_row(step, *(Spread.of(each).text(1) for each in seconds), ", ".join(of_first))
    table.add_row(
        "requests during the edits", *(f"{m.lost} of {m.sent} lost" for m in found.values())
    )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
