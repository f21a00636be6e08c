"""Times `ray-llm plan --stack prod` from its start to its exit.

Run: python -m benchmarks.start_up
Prints the wall and CPU time of the whole process, the median of ten runs after a warm-up run.
Nearly all of it is the import of modules, so a new import at the top of a module is visible here.
"""

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

RUNS = 10
CHECKOUT = Path(__file__).parent.parent
COMMAND = (Path(sys.executable).with_name("ray-llm"), "plan", "--stack", "prod", "--assume-token")


def run_once() -> tuple[float, float]:
    """Seconds of wall and CPU time of one run."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(COMMAND, cwd=CHECKOUT, capture_output=True, check=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall, processor


def main() -> None:
    """Print the table."""
    run_once()
    runs = [run_once() for _ in range(RUNS)]
    table = Table(title=f"ray-llm plan --stack prod, median of {RUNS} runs (min to max)")
    table.add_column("time, s")
    table.add_column("", justify="right")
    for label, figures in zip(("wall", "processor"), zip(*runs, strict=True), strict=True):
        middle, low, high = statistics.median(figures), min(figures), max(figures)
        table.add_row(label, f"{middle:.3f} ({low:.3f} to {high:.3f})")
    Console(width=80).print(table)


if __name__ == "__main__":
    main()
