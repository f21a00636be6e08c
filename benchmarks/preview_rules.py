"""Times what the hook of the RayService adds to a preview: prediction, sentences and guards.

Run: python -m benchmarks.preview_rules
Prints milliseconds of CPU time, the median of seven runs, for stacks of several sizes of which one
model is edited, all are, or the Ray cluster changes. The engine's own call of the hook is no part.
The aim is below 100 ms.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from manifests import ServiceManifests, service_manifests
from models.reading import read_stack
from models.stack_file import parse_stack_file
from planning import make_plan
from rollouts import Change, change_problems, predict, sentences, serve_config

SIZES = (3, 20, 100)
RUNS = 7
_HEAD = """config:
  gcp:project: acme
  gcp:region: us-central1
  ray-llm:cluster: {{name: llm, zones: [us-central1-a], cpuPool: {{maxNodes: 1000}}}}
  ray-llm:versions: {{ray: {ray}}}
  ray-llm:gpuPools: [{{tier: l4, maxNodes: 1000}}]
  ray-llm:models:
"""
_MODEL = "    - {{model: qwen2.5-7b-instruct, name: m{index}, gpu: l4, contextLength: {length}}}\n"


def manifests(models: int, ray: str = "2.60.0", edited: int = 0) -> ServiceManifests:
    """The objects of a stack whose first models are edited."""
    entries = (
        _MODEL.format(index=index, length=2048 if index < edited else 4096)
        for index in range(models)
    )
    file = parse_stack_file(_HEAD.format(ray=ray) + "".join(entries), Path("Pulumi.bench.yaml"))
    return service_manifests(
        make_plan(read_stack(file.stack, file.values, file.secret_keys, file.path.parent))
    )


def judge(old: ServiceManifests, new: ServiceManifests) -> None:
    """What the hook does."""
    gpus = new.rollout.pool_gpus
    rollout = predict(old.ray_service, new.ray_service, new.kuberay, gpus, new.rollout.quotas)
    assert sentences(rollout, expected=new.rollout.expected)
    change = Change(old=old.ray_service, new=new.ray_service, rollout=rollout, room=new.room)
    change_problems(change, new.rollout.policy)


def milliseconds(act: Callable[[], None]) -> float:
    """The median of several runs, none of which finds what another has parsed."""
    runs = []
    for _ in range(RUNS):
        serve_config.cache_clear()
        start = time.process_time()
        act()
        runs.append(1000 * (time.process_time() - start))
    return statistics.median(runs)


def main() -> None:
    """Print the table."""
    table = Table(title=f"CPU time in ms, median of {RUNS} runs")
    for column in ("models", "one is edited", "all are edited", "another Ray"):
        table.add_column(column, justify="right")
    for size in SIZES:
        old = manifests(size)
        edits = (
            manifests(size, edited=1),
            manifests(size, edited=size),
            manifests(size, ray="2.59.0"),
        )
        table.add_row(
            str(size),
            *(f"{milliseconds(partial(judge, old, new)):.0f}" for new in edits),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
