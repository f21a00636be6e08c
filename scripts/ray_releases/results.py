"""The results file: what was seen on each release, for the docs and for the next release."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from scripts.ray_releases.checks import CHECKS, Seen

FILE: Final = Path(__file__).with_name("results.yaml")
_HEADING: Final = """\
# What was seen on each release of Ray, without Kubernetes and with an engine that echoes.
# Written by `make ray-release` (docs/ray-release-check.md); do not edit.
"""


def read(path: Path = FILE) -> list[dict[str, Any]]:
    """The results, the oldest release first."""
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    return rows


def record(
    ray: str, date: str, versions: Mapping[str, str], seen: Sequence[Seen], path: Path = FILE
) -> None:
    """Puts the result of one release in the place of its last one."""
    row = {
        "ray": ray,
        "date": date,
        "versions": dict(versions),
        "checks": {item.name: {"passed": item.passed, "seen": item.seen} for item in seen},
    }
    rows = [item for item in read(path) if item["ray"] != ray]
    rows = sorted([*rows, row], key=lambda item: [int(part) for part in item["ray"].split(".")])
    text = yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, width=100)
    path.write_text(_HEADING + text, encoding="utf-8")


def passed(row: Mapping[str, Any]) -> bool:
    """Whether every check of a row was made and passed."""
    return all(row["checks"].get(name, {}).get("passed") is True for name in CHECKS)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Releases against checks, as a Markdown table; what failed is in capitals."""
    rows = list(rows)
    lines = [
        f"| check | {' | '.join(row['ray'] for row in rows)} |",
        f"|---|{'---|' * len(rows)}",
    ]
    for name in CHECKS:
        cells = [_cell(row["checks"].get(name)) for row in rows]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(check: Mapping[str, Any] | None) -> str:
    if check is None:
        return "not run"
    seen = str(check["seen"]).replace("|", "\\|")
    return seen if check["passed"] else f"FAILED: {seen}"
