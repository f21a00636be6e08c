"""Checks releases of Ray with what this program writes for them, and records what was seen.

    .venv/bin/python -m scripts.ray_releases [RELEASE ...]

Without releases, all of the table are checked, one after the other. The exit code is 1 if a check
fails.
"""

import argparse
import datetime
import signal
import sys
import time
from pathlib import Path

from localcloud.go_build import BuildError
from models.catalog import ray_releases
from scripts.ray_releases import environments, results
from scripts.ray_releases.checks import ReleaseCheck, Seen
from scripts.ray_releases.nodes import NodeError, Nodes
from scripts.ray_releases.stack import write

DESCRIPTION = "Check releases of Ray with what this program writes for them."
VLLM_FACTS = Path(__file__).parents[2] / "models" / "catalog" / "vllm"
RECORDED_VERSIONS = ("vllm", "fastapi", "starlette", "pydantic", "transformers")


def check(ray: str) -> list[Seen]:
    """Run all checks of one release and print each."""
    environment = environments.install(ray)
    written = write(ray)
    facts = VLLM_FACTS / f"{written.plan.release.ray.vllm}.yaml"
    seen = []
    with Nodes(environment, written, facts) as nodes:
        started = time.monotonic()
        for item in ReleaseCheck(nodes, written).run():
            took = time.monotonic() - started
            word = "ok" if item.passed else "FAILED"
            print(f"  {item.name:14} {word:7} {took:4.0f} s  {item.seen}", flush=True)
            seen.append(item)
            started = time.monotonic()
    results.record(
        ray,
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        environments.versions(environment, *RECORDED_VERSIONS),
        seen,
    )
    return seen


def main() -> int:
    """Check the releases of the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="scripts.ray_releases", description=DESCRIPTION)
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    releases = parser.parse_args().releases or list(ray_releases())
    for ray in releases:
        if ray not in ray_releases():
            parser.error(f"Ray {ray} is in no row of models/catalog/releases.yaml: add one.")
    # So that the nodes are ended then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = False
    for ray in releases:
        print(f"Ray {ray}", flush=True)
        try:
            failed |= not all(item.passed for item in check(ray))
        except (BuildError, NodeError) as error:
            print(f"  {error}")
            failed = True
    print(results.table([row for row in results.read() if row["ray"] in releases]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
