"""Times `pulumi preview --stack prod` against a flat program with the same resources.

Run: python -m benchmarks.preview [pairs]
In `benchmarks/flat` the same resources are written by hand. Both run in turn on the same engine
with the same stand-ins for the providers, so that a change of the machine's speed affects both.
The figures to quote are the medians of the pairwise ratios. Memory is the peak of all processes of
a run together; pages that they share are counted once.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from localcloud.cloud import LocalCloud, Project

CHECKOUT = Path(__file__).parent.parent
STACK = "prod"
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Run:
    """One preview: seconds, and MiB of all its processes together at their peak."""

    seconds: float
    peak_mib: float


def resource_types(project: Project) -> Counter[str]:
    """The types that a preview would create, without our component types."""
    done = project.pulumi("preview", "--stack", STACK, "--json")
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    steps = json.loads(done.stdout)["steps"]
    types = (step["urn"].split("::")[2].rsplit("$", 1)[-1] for step in steps)
    return Counter(type_ for type_ in types if not type_.startswith(("ray-llm:", "pulumi:pulumi:")))


def measured(project: Project) -> Run:
    """Run one preview and measure it."""
    start = time.perf_counter()
    process = project.start("preview", "--stack", STACK)
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(_POLL_SECONDS):
            peak = max(peak, _group_mib(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, errors = process.communicate()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if process.returncode != 0:
        sys.exit(output + errors)
    return Run(seconds=seconds, peak_mib=peak)


def _group_mib(group: int) -> float:
    """Proportional memory of all processes of a group, which counts shared pages once."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--sid", str(group)], capture_output=True, text=True, check=False
    )
    total_kib = 0
    for pid in listed.stdout.split():
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue  # it has just ended
        total_kib += next(
            (int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0
        )
    return total_kib / 1024


def main() -> None:
    """Print the table of the paired runs."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    console = Console(width=90)
    with tempfile.TemporaryDirectory() as folder:
        cloud = LocalCloud(Path(folder))
        ours, flat = cloud.project(CHECKOUT), cloud.project(CHECKOUT / "benchmarks" / "flat")
        difference = resource_types(ours), resource_types(flat)
        if difference[0] != difference[1]:
            sys.exit(f"The two programs create different resources: {difference}")
        runs: list[tuple[Run, Run]] = []
        for pair in range(pairs + 1):
            runs.append((measured(ours), measured(flat)))
            console.print(f"pair {pair} of {pairs}{' (warm-up)' if pair == 0 else ''}")
    counted = runs[1:]
    table = Table(title=f"pulumi preview --stack {STACK}, {pairs} pairs, median (min to max)")
    for column in ("", "ray-llm", "flat program", "ratio, pair by pair"):
        table.add_column(column, justify="right" if column else "left")
    for label, figure in (("wall time, s", "seconds"), ("peak memory, MiB", "peak_mib")):
        ours_figures = [getattr(a, figure) for a, _ in counted]
        flat_figures = [getattr(b, figure) for _, b in counted]
        ratios = [a / b for a, b in zip(ours_figures, flat_figures, strict=True)]
        table.add_row(label, _spread(ours_figures, 1), _spread(flat_figures, 1), _spread(ratios, 2))
    console.print(table)
    console.print(f"{sum(difference[0].values())} resources each.")


def _spread(figures: list[float], digits: int) -> str:
    middle, low, high = statistics.median(figures), min(figures), max(figures)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
