"""Compares the plan with the configuration code of real vLLM releases, without a GPU.

    python -m scripts.vllm_configs [--ray 2.60.0] [--gpu l4] [--only TEXT] [--out FILE]

Installs each release's vLLM into .vllm-configs, plans every case and lets vLLM make its
configuration of the same engine arguments. Prints the differences that reviewed.yaml does not
hold, and exits with 1 if there are any. See docs/vllm-configs.md.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from models.catalog import llms
from scripts.vllm_configs.cases import GPUS, all_cases
from scripts.vllm_configs.comparison import Difference, differences, reviewed
from scripts.vllm_configs.config_files import config_json
from scripts.vllm_configs.environments import installed, pinned

_SHOWN = 3  # examples of a kind of difference


def main() -> int:
    """Run the comparison and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts.vllm_configs", description=__doc__)
    parser.add_argument("--ray", action="append", choices=pinned(), help="default: all pinned")
    parser.add_argument("--gpu", action="append", choices=GPUS, help="default: all")
    parser.add_argument("--only", default="", help="only cases whose names match this")
    parser.add_argument("--out", type=Path, help="write all differences as lines of JSON")
    options = parser.parse_args()
    unwritten = [row.id for row in llms().values() if config_json(row) is None]
    if unwritten:
        print(f"not compared, their config.json is not written here: {', '.join(unwritten)}")
    found: list[Difference] = []
    for (ray, gpu), cases in all_cases(options.ray or pinned(), options.gpu or GPUS).items():
        python, started = installed(ray), time.monotonic()
        cases = [case for case in cases if re.search(options.only, case.name)]
        with tempfile.TemporaryDirectory() as work:
            answers = list(differences(cases, python, Path(work), gpu))
        here = [answer for answer in answers if answer is not None]
        found += here
        kinds = Counter(difference.kind for difference in here)
        print(
            f"Ray {ray} on {gpu}: {len(answers)} cases, {kinds['miss']} misses, "
            f"{kinds['false stop']} false stops, {kinds['value']} other values, reviewed ones "
            f"included ({time.monotonic() - started:.0f} s)",
            flush=True,
        )
    if options.out:
        lines = (json.dumps(asdict(difference)) + "\n" for difference in found)
        options.out.write_text("".join(lines), "utf-8")
    return _report(found, whole=not (options.ray or options.gpu or options.only))


def _report(found: Iterable[Difference], *, whole: bool) -> int:
    """Print what reviewed.yaml does not hold, and rows of it that nothing matches."""
    rows = reviewed()
    used = Counter[str]()
    groups: dict[tuple[str, ...], list[Difference]] = {}
    for difference in found:
        row = next((row for row in rows if row.covers(difference)), None)
        if row is not None:
            used[row.why] += 1
            continue
        key = (difference.kind, difference.release, difference.rule or difference.says[:80])
        groups.setdefault(key, []).append(difference)
    for (kind, release, what), members in sorted(groups.items()):
        print(f"\n{kind}, Ray {release}, {len(members)} cases: {what}")
        for member in members[:_SHOWN]:
            print(f"  {member.gpu}, {member.case}: {member.says[:400]}")
    print()
    for why, count in used.most_common():
        print(f"reviewed, {count} cases: {why}")
    idle = [row for row in rows if whole and not used[row.why]]
    for row in idle:
        print(f"reviewed.yaml holds what no case shows any more: {row.why}")
    new = sum(map(len, groups.values()))
    print(f"{new} differences that were not reviewed, {sum(used.values())} that were")
    return 1 if new or idle else 0


if __name__ == "__main__":
    sys.exit(main())
