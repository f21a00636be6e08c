"""Times a stack with many problems: each of their ways out is planned before it is shown.

Run: python -m benchmarks.ways_out
Prints seconds of CPU time, the median of five runs, as benchmarks/planning.py does. The aim is
below 2 s for 20 problems.
"""

import statistics
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from models.problems import Problem, StackError
from models.reading import read_stack
from models.stack_file import parse_stack_file
from planning import make_plan

SIZES = (1, 20, 100)
RUNS = 5
# Mistakes of different kinds, among them those with the most ways out to try.
_ENTRIES = (
    "    - {{model: llama-3.1-8b-instruct, name: m{index}, gpu: l4, contextLength: 65536}}\n",
    "    - {{model: qwen2.5-7b-instruct, name: m{index}, gpu: t4, dtype: bfloat16}}\n",
    "    - {{model: qwen2.5-32b-instruct, name: m{index}, gpu: l4}}\n",
    "    - {{model: qwen2.5-7b-instruct, name: m{index}, gpu: l4, tensorParallelSize: 3}}\n",
    "    - {{model: qwen2.5-7b-instruct, name: m{index}, gpu: l4, min_replicas: 1}}\n",
    "    - model: qwen2.5-7b-instruct\n      name: m{index}\n      gpu: l4\n"
    "      engine: {{max_num_batched_tokens: 64}}\n",
)
_HEAD = """config:
  gcp:project: acme
  gcp:region: us-central1
  ray-llm:cluster: {name: llm, zones: [us-central1-a], cpuPool: {maxNodes: 1000}}
  ray-llm:huggingFaceToken: {secure: AAABAJ0}
  ray-llm:gpuPools: [{tier: t4, maxNodes: 1000}, {tier: l4, maxNodes: 1000}]
  ray-llm:models:
"""


def stack_text(problems: int) -> str:
    """A stack file with this number of problems, one a model."""
    entries = (_ENTRIES[index % len(_ENTRIES)].format(index=index) for index in range(problems))
    return _HEAD + "".join(entries)


def problems_of(text: str) -> tuple[Problem, ...]:
    """What stops the stack, with the ways out that pass."""
    file = parse_stack_file(text, Path("Pulumi.bench.yaml"))
    try:
        make_plan(read_stack(file.stack, file.values, file.secret_keys, file.path.parent))
    except StackError as error:
        return error.problems
    return ()


def main() -> None:
    """Print the table."""
    problems_of(stack_text(len(_ENTRIES)))
    table = Table(title=f"CPU time, median of {RUNS} runs")
    for column in ("problems", "with a way out", "ways out", "seconds"):
        table.add_column(column, justify="right")
    for size in SIZES:
        text = stack_text(size)
        found = problems_of(text)
        runs = []
        for _ in range(RUNS):
            start = time.process_time()
            problems_of(text)
            runs.append(time.process_time() - start)
        table.add_row(
            str(len(found)),
            str(sum(bool(problem.ways) for problem in found)),
            str(sum(len(problem.ways) for problem in found)),
            f"{statistics.median(runs):.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
