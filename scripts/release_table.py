"""Writes the tables of docs/releases.md: the rows of the catalogue, and what was seen of each.

Run: python -m scripts.release_table
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.catalog.releases import RayRelease, Tested, kuberay_releases, ray_releases
from scripts import doc_blocks
from scripts.ray_releases import results

PAGE: Final = Path(__file__).parent.parent / "docs" / "releases.md"
_RAN: Final = {
    Tested.CLUSTER: "everything on the real cluster (`make e2e RAY={}`)",
    Tested.SERVE: "`make ray-release`: real Ray Serve, without KubeRay",
    Tested.CRDS: "an upgrade of its CRDs, on a real API server",
    Tested.NOTHING: "nothing",
}
_RAN_OF_OPERATOR: Final = _RAN | {Tested.CLUSTER: "everything on the real cluster"}
_CLAIMS: Final = {
    "ingress_class": "front end",
    "placement_group_config": "placement group in the LLM config",
    "bundle_per_worker": "bundle for each worker",
    "logs_engine_metrics": "engine metrics on",
    "failed_update_keeps_serving": "a failed update keeps serving",
    "supports_v0_engine": "V0 engine",
}


def page(text: str) -> str:
    """The page with its tables written again."""
    return doc_blocks.refreshed(text, _table)


def _table(name: str) -> str:
    return _TABLES[name]()


def _ray_table() -> str:
    seen = {row["ray"]: row for row in results.read()}
    lines = ["| Ray | vLLM | CUDA | run here | quick check |", "|---|---|---|---|---|"]
    for row in reversed(ray_releases().values()):
        cuda = ".".join(map(str, row.cuda))
        ran = _RAN[row.tested].format(row.ray)
        lines.append(
            f"| {row.ray} | {row.vllm} ({row.how_known('vllm')}) "
            f"| {cuda} ({row.how_known('cuda')}) | {ran} | {_quick(seen.get(row.ray))} |"
        )
    return "\n".join(lines)


def _quick(seen: Mapping[str, Any] | None) -> str:
    if seen is None:
        return "not run"
    passed = sum(1 for check in seen["checks"].values() if check["passed"])
    return f"{passed} of {len(seen['checks'])} passed, {seen['date']}"


def _claims_table() -> str:
    rows = list(reversed(ray_releases().values()))
    lines = [
        f"| claim | {' | '.join(row.ray for row in rows)} |",
        f"|---|{'---|' * len(rows)}",
    ]
    lines += [
        f"| {title} | {' | '.join(_claim(row, name) for row in rows)} |"
        for name, title in _CLAIMS.items()
    ]
    return "\n".join(lines)


def _claim(row: RayRelease, name: str) -> str:
    value = getattr(row, name)
    shown = {True: "yes", False: "no"}.get(value, value)
    return f"{shown} ({row.how_known(name)})"


def _kuberay_table() -> str:
    lines = ["| KubeRay | run here |", "|---|---|"]
    rows = reversed(kuberay_releases().values())
    lines += [f"| {row.version} | {_RAN_OF_OPERATOR[row.tested]} |" for row in rows]
    return "\n".join(lines)


_TABLES: Final = {
    "releases:ray": _ray_table,
    "releases:claims": _claims_table,
    "releases:kuberay": _kuberay_table,
    "releases:quick": lambda: results.table(results.read()),
}


def main() -> None:
    """Write the page."""
    doc_blocks.refresh(PAGE, _table)


if __name__ == "__main__":
    main()
