"""How long the first request to a model that sleeps waits, beside what the plan says.

Run: python -m benchmarks.wakes [--shares 0,0.5]
A model sleeps in its window on the local cluster, with the real Ray autoscaler, KubeRay and Ray
Serve. For each share, its node, its image and its stand-in engine take as long as the plan says of
these phases: 0 is the least of each, 1 the most. One request is then sent, and waits for all of
them. What it shows is what lies between the phases, and that the request outlasts them; how long a
phase takes on GKE, only a real project shows. Some eighteen minutes, of which most is waiting.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.small_service import small_service
from localcloud.testing.running_cluster import eventually
from reports.plan_data import ColdStartSummary
from tests.cluster.nights import MODEL, SLEEPY, has_node, minimum, run_schedule, sleeps, with_window
from tests.cluster.releases import release
from tests.cluster.service import Service

# A client that gives up later than the slowest start that the plan knows.
PATIENCE_SECONDS: Final = 1800.0


def at(share: float, phase: Sequence[int | None]) -> float:
    """The seconds of a phase at a share of its range."""
    least, most = (seconds or 0 for seconds in phase)
    return least + share * (most - least)


def asleep(service: Service) -> None:
    """Return once the model has neither an engine nor a node."""
    cluster = service.cluster
    eventually(lambda: sleeps(cluster), "the model sleeps", seconds=180)
    eventually(lambda: not has_node(cluster), "its node is gone", seconds=180)


def wake(service: Service, start: ColdStartSummary, share: float) -> tuple[float, float]:
    """What the phases take, and what the first request waits; in seconds."""
    cluster = service.cluster
    asleep(service)
    node, image = at(share, start["node"]), at(share, start["image"])
    place = start["weightsFrom"] or "hub"
    phases = (start["weights"][place], start["engine"], start["graphs"])
    engine = sum(at(share, phase) for phase in phases)
    cluster.start_delays(node=node, image=image)
    cluster.engine_faults({MODEL: {"start_seconds": engine}})
    asked = time.monotonic()
    answer = cluster.chat(MODEL, MODEL, "psst", timeout=PATIENCE_SECONDS, by_name=True)
    waited = time.monotonic() - asked
    cluster.start_delays()
    cluster.engine_faults({})
    if answer != (200, f"{MODEL}: psst"):
        raise SystemExit(f"after {waited:.0f} s: {answer}")
    return node + image + engine, waited


def main(arguments: Sequence[str] | None = None) -> None:
    """Wakes the model once for each share, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wakes", description=__doc__)
    parser.add_argument("--shares", default="0,0.5", help="default: 0,0.5")
    options = parser.parse_args(arguments)
    table = Table("share of each range", "its phases, s", "first answer, s", "the plan's range, s")
    with small_service([release().ray]) as service:
        with_window(service, SLEEPY, open_now=True).must_up()
        run_schedule(service.cluster)
        eventually(lambda: minimum(service.cluster) == 0, "the night has begun", seconds=60)
        [model] = [each for each in service.deployment.plan()["models"] if each["name"] == MODEL]
        start = model["coldStart"]
        for share in map(float, options.shares.split(",")):
            phases, waited = wake(service, start, share)
            least, most = start["total"]
            table.add_row(f"{share:g}", f"{phases:.0f}", f"{waited:.0f}", f"{least}-{most}")
            print(f"{share:g}: {phases:.0f} s of phases, answered after {waited:.0f} s", flush=True)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
