"""The plan as a person reads it in a preview: tables of models and pools, and what they assume.

Plain text of at most 100 columns, because `pulumi preview` shows it among its diagnostics.
"""

import io
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.table import Table

from planning import GIB, ModelPlan, Plan, PoolPlan, idle_gpus
from reports.figure_tables import (
    QUOTA_NOTE,
    cost_table,
    plain_table,
    price_note,
    quota_table,
)

WIDTH: Final = 100


def plan_table(plan: Plan) -> str:
    """The whole plan, ready to print."""
    out = io.StringIO()
    console = Console(
        file=out, width=WIDTH, color_system=None, force_terminal=False, highlight=False
    )
    console.print(_heading(plan), end="\n\n")
    for table in (_models(plan), _memory(plan), _pools(plan), cost_table(plan), quota_table(plan)):
        console.print(table)
        console.print()
    console.print(_footnotes(plan))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _heading(plan: Plan) -> str:
    release = plan.release
    return (
        f"Stack {plan.stack}: {len(plan.models)} models on cluster {plan.cluster.name} "
        f"({plan.project}, {plan.region})\n"
        f"Ray {release.ray.ray} with vLLM {release.vllm}, KubeRay {release.kuberay.version}"
    )


def _models(plan: Plan) -> Table:
    table = plain_table(
        ("model", "pool", "TP", "dtype", "context", "replicas", "endpoint"),
        right={"TP", "context", "replicas"},
    )
    for model in plan.models:
        table.add_row(
            model.name,
            _marked(model, model.pool, "pool"),
            _marked(model, _parallelism(model), "tensor_parallel_size"),
            _numbers(model),
            _marked(model, str(model.max_model_len), "max_model_len"),
            f"{model.replicas.min}-{model.replicas.max}",
            f"{model.route}/v1",
        )
    return table


def _memory(plan: Plan) -> Table:
    """GiB of one GPU: what the model holds, what is left for KV cache, and what that carries."""
    table = plain_table(
        ("GiB a GPU", "budget", "weights", "KV left", "KV a sequence", "at once", "longest"),
        right={"budget", "weights", "KV left", "KV a sequence", "at once", "longest"},
    )
    for model in plan.models:
        fit = model.fit
        if fit is None:
            table.add_row(model.name, *["unchecked"] * 6)
            continue
        table.add_row(
            model.name,
            _gib(fit.budget_bytes),
            _gib(fit.weight_bytes),
            _gib(fit.kv_available_bytes),
            _gib(fit.kv_per_sequence_bytes),
            f"{fit.concurrent_sequences:.0f}",
            str(fit.longest_context),
        )
    return table


def _marked(model: ModelPlan, text: str, argument: str) -> str:
    return f"{text}*" if argument in model.derived else text


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.1f}"


def _parallelism(model: ModelPlan) -> str:
    pipeline = model.pipeline_parallel_size
    return f"{model.tensor_parallel_size}" + (f"x{pipeline}" if pipeline > 1 else "")


def _numbers(model: ModelPlan) -> str:
    return f"{model.dtype}" + (f" {model.quantization_shown}" if model.quantization_shown else "")


def _pools(plan: Plan) -> Table:
    table = plain_table(
        ("pool", "machine", "GPUs", "zones", "nodes needed", "max", "USD/h", "as spot"),
        right={"nodes needed", "max", "USD/h", "as spot"},
    )
    for pool in plan.pools:
        cost = plan.cost.pools[pool.id]
        table.add_row(
            pool.id,
            pool.machine_type + (" (spot)" if pool.spot else ""),
            f"{pool.tier.gpu_count} x {pool.tier.gpu_name}",
            _zone_letters(pool),
            f"{pool.nodes_at_min}-{pool.nodes_at_max}",
            str(pool.max_nodes),
            _hourly(cost.on_demand_usd_per_hour),
            _hourly(cost.spot_usd_per_hour),
        )
    return table


def _hourly(usd: Decimal | None) -> str:
    return "unknown" if usd is None else f"{usd:.2f}"


def _zone_letters(pool: PoolPlan) -> str:
    return ", ".join(zone.rsplit("-", 1)[1] for zone in pool.zones)


def _footnotes(plan: Plan) -> str:
    service = plan.service
    return "\n".join(
        [
            *(idle.sentence() for idle in idle_gpus(plan)),
            "* derived, not in the stack file. At once: sequences of full context length that a "
            "replica holds.",
            price_note(plan.cost),
            QUOTA_NOTE,
            f"Endpoints are below http://{service.serve_service}.{service.namespace}:"
            f"{service.port}, inside the cluster.",
        ]
    )
