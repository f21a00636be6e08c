"""The plan as Markdown, for the pull request that changes a stack.

Written from the summary, so that it looks the same whether the plan was just made or is the last
output of a stack.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from reports.plan_data import Amounts, PlanSummary, ReplicaSummary

Level = Literal["minimum", "typical", "maximum"]
LEVELS: Final[tuple[Level, ...]] = ("minimum", "typical", "maximum")


def plan_markdown(summary: PlanSummary) -> str:
    """Models, pools with their cost, and quota, under a heading with the stack's name."""
    versions = summary["versions"]
    parts = [
        f"### Stack {summary['stack']}",
        f"{len(summary['models'])} models on cluster `{summary['cluster']['name']}` "
        f"({summary['project']}, {summary['region']}); Ray {versions['ray']} with vLLM "
        f"{versions['vllm']}, KubeRay {versions['kuberay']}",
        _models(summary),
        _pools(summary),
        _quota(summary),
    ]
    notes = [*summary["idleGpus"], *(f"Warning: {text}" for text in summary["warnings"])]
    if notes:
        parts.append("\n".join(f"- {escape(note)}" for note in notes))
    cost = summary["cost"]
    parts.append(
        f"<sub>List prices of {cost['priceDate']}, disks and traffic excluded; typical is "
        f"{cost['loadFactor']:.0%} of the way from minimum to maximum. Quota for an upgrade is "
        "twice the minimum: a second RayCluster starts beside the first.</sub>"
    )
    return "\n\n".join(parts) + "\n"


def _models(summary: PlanSummary) -> str:
    return table(
        ("model", "pool", "TP", "dtype", "context", "replicas", "USD a month: min", "max"),
        (
            (
                model["name"],
                model["gpu"],
                str(model["tensorParallelSize"])
                + (
                    f"x{model['pipelineParallelSize']}" if model["pipelineParallelSize"] > 1 else ""
                ),
                f"{model['dtype']} {model['quantization'] or ''}".strip(),
                f"{model['contextLength']:,}",
                span(model["replicas"]),
                usd(model["monthlyUsd"], "minimum"),
                usd(model["monthlyUsd"], "maximum"),
            )
            for model in summary["models"]
        ),
        right={2, 4, 5, 6, 7},
    )


def _pools(summary: PlanSummary) -> str:
    cost, cpu_pool = summary["cost"], summary["cluster"]["cpuPool"]
    rows: list[tuple[str, ...]] = [
        (
            pool["id"],
            pool["machineType"] + (" (spot)" if pool["spot"] else ""),
            f"{pool['gpusPerNode']} x {pool['accelerator']}",
            f"{span(pool['nodesNeeded'])} of {pool['maxNodes']}",
            f"{pool['gpusIdle']['minimum']:.0f}",
            *_usd_columns(pool["monthlyUsd"]),
        )
        for pool in summary["gpuPools"]
    ]
    if not summary["cluster"]["existing"]:
        cpu = cpu_pool["monthlyUsd"]
        rows.append((cpu_pool["name"], cpu_pool["machineType"], "", "", "", *_usd_columns(cpu)))
        rows.append(("cluster fee", "", "", "", "", *_usd_columns(cost["clusterFee"])))
    total = "**total**" + (" of known prices" if cost["unpriced"] else "")
    rows.append((total, "", "", "", "", *(f"**{text}**" for text in _usd_columns(cost["total"]))))
    columns = ("pool", "machine", "GPUs", "nodes", "idle GPUs")
    return table((*columns, "USD a month: min", "typical", "max"), rows, right={3, 4, 5, 6, 7})


def _usd_columns(amounts: Amounts | None) -> tuple[str, str, str]:
    return usd(amounts, "minimum"), usd(amounts, "typical"), usd(amounts, "maximum")


def _quota(summary: PlanSummary) -> str:
    return table(
        ("quota", "minimum", "upgrade", "peak", "limit"),
        (
            (
                need["metric"],
                f"{need['minimum']:,}",
                f"{need['upgrade']:,}",
                f"{need['peak']:,}",
                "not given" if need["limit"] is None else f"{need['limit']:,}",
            )
            for need in summary["quota"]
        ),
        right={1, 2, 3, 4},
    )


def span(numbers: ReplicaSummary) -> str:
    """A range of whole numbers, one number where both ends are the same."""
    low, high = numbers["min"], numbers["max"]
    return str(low) if low == high else f"{low}-{high}"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] | set[int]
) -> str:
    """A Markdown table; `right` are the numbers of the columns that align right."""
    rules = ["---:" if number in right else "---" for number in range(len(columns))]
    lines = [columns, rules, *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(text: str) -> str:
    """Text that stays one cell and one line, and makes no HTML."""
    one_line = " ".join(text.split())
    return one_line.replace("|", "\\|").replace("<", "&lt;")


def usd(amounts: Amounts | None, level: Level) -> str:
    """One level of an amount of money, whole USD."""
    return "unknown" if amounts is None else f"{amounts[level]:,.0f}"
