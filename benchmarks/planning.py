"""Times loading, planning and writing by number of models, without the engine.

Run: python -m benchmarks.planning
Prints seconds of CPU time, the median of five runs. One thread that never waits takes as much CPU
time as wall time on an idle machine, and on a busy machine other programs do not change it. The
catalogue is loaded before, because its cost does not grow with the stack. "ms per model" shows
whether the cost of the rest grows.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from manifests import service_manifests
from models.reading import read_stack
from models.stack_file import parse_stack_file
from planning import Plan, make_plan

SIZES = (1, 10, 100, 1000)
RUNS = 5
# A mix as in a real stack: only a name, with a pool, with engine arguments, quantized.
_ENTRIES = (
    "    - {{model: qwen2.5-0.5b-instruct, name: m{index}}}\n",
    "    - model: mistral-7b-instruct-v0.3\n      name: m{index}\n      gpu: l4-spot\n"
    "      contextLength: 16384\n",
    "    - model: qwen2.5-14b-instruct-awq\n      name: m{index}\n"
    "      engine: {{max_num_seqs: 32, max_num_batched_tokens: 4096}}\n",
    "    - model: qwen2.5-32b-instruct\n      name: m{index}\n      gpu: a100-80gb-x2\n"
    "      replicas: {{min: 1, max: 2}}\n",
)
_HEAD = """config:
  gcp:project: acme
  gcp:region: us-central1
  ray-llm:cluster: {name: llm, zones: [us-central1-a], cpuPool: {maxNodes: 1000}}
  ray-llm:gpuPools:
    - {tier: t4, maxNodes: 1000}
    - {tier: l4, maxNodes: 1000}
    - {tier: l4, spot: true, maxNodes: 1000}
    - {tier: a100-80gb-x2, maxNodes: 1000}
  ray-llm:models:
"""


def stack_text(models: int) -> str:
    """A stack file with this number of models."""
    entries = (_ENTRIES[index % len(_ENTRIES)].format(index=index) for index in range(models))
    return _HEAD + "".join(entries)


def _load_and_plan(text: str) -> Plan:
    file = parse_stack_file(text, Path("Pulumi.bench.yaml"))
    return make_plan(read_stack(file.stack, file.values, file.secret_keys, file.path.parent))


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    _load_and_plan(stack_text(len(_ENTRIES)))
    table = Table(title=f"CPU time, median of {RUNS} runs")
    for column in ("models", "load and plan, s", "write, s", "total, s", "ms per model"):
        table.add_column(column, justify="right")
    for size in SIZES:
        text = stack_text(size)
        plan = _load_and_plan(text)
        planned = statistics.median(
            _seconds(lambda text=text: _load_and_plan(text)) for _ in range(RUNS)
        )
        written = statistics.median(
            _seconds(lambda plan=plan: service_manifests(plan)) for _ in range(RUNS)
        )
        total = planned + written
        table.add_row(
            str(size),
            f"{planned:.3f}",
            f"{written:.3f}",
            f"{total:.3f}",
            f"{1000 * total / size:.2f}",
        )
    Console(width=80).print(table)


if __name__ == "__main__":
    main()
