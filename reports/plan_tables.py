"""The tables of a plan, each described once: columns, rows and notes, from the plan's data.

plan_text.py writes them as text, plan_markdown.py as Markdown; `--json` prints the data itself.
"""

from collections.abc import Iterable
from typing import Final

from models.tasks import Task
from models.weights import WeightsPlace
from reports.formatting import (
    UNKNOWN,
    count,
    gib,
    open_span,
    parallelism,
    span,
    usd_columns,
    usd_per_hour,
    zone_letters,
)
from reports.plan_data import Amounts, CostSummary, ModelSummary, PlanSummary, PoolSummary
from reports.table import Row, Table
from reports.way_tables import range_rows, ways_tables

_UNCHECKED: Final = "unchecked"
QUOTA_NOTE: Final = (
    "Quota: upgrade is what a second RayCluster takes next to the first, as a change of image or "
    "Ray version starts one, and a node more of the CPU pool; peak is every pool at its maximum."
)
_OFF_HOURS_NOTE: Final = (
    " Off-hours: nodes are counted as gone as long after a window begins as `node stays` says, if "
    "no request wakes a model; with all models at their maximum nothing is saved."
)
DERIVED_NOTE: Final = (
    "* derived, not in the stack file. At once: sequences of full context length that a replica "
    "holds."
)


def plan_tables(plan: PlanSummary) -> tuple[Table, ...]:
    """All tables of a plan, in the order in which they are shown."""
    return (
        models_table(plan),
        memory_table(plan),
        *speed_tables(plan),
        *cold_start_tables(plan),
        pools_table(plan),
        *ways_tables(plan),
        *off_hours_tables(plan),
        cost_table(plan),
        quota_table(plan),
    )


def models_table(plan: PlanSummary) -> Table:
    """The pool and the engine settings of each model; a star marks values not in the stack file."""
    base = plan["service"]["url"]
    return _table(
        ("model", "pool", "TP", "dtype", "context", "replicas", "endpoint"),
        (
            (
                model["name"],
                _marked(model, model["gpu"], "pool"),
                _marked(
                    model,
                    parallelism(model["tensorParallelSize"], model["pipelineParallelSize"]),
                    "tensor_parallel_size",
                ),
                f"{model['dtype']} {model['quantization'] or ''}".strip(),
                _marked(model, str(model["contextLength"]), "max_model_len"),
                f"{model['replicas']['min']}-{model['replicas']['max']}",
                _asked_at(model).removeprefix(base),
            )
            for model in plan["models"]
        ),
        left={"model", "pool", "dtype", "endpoint"},
    )


def _asked_at(model: ModelSummary) -> str:
    """Where a model is asked: the base of the chat clients, or the one path that it answers."""
    if model["task"] == Task.GENERATE.value:
        return model["endpoint"]
    return f"{model['endpoint']}/{model['taskPath']}"


def _marked(model: ModelSummary, text: str, argument: str) -> str:
    return f"{text}*" if argument in model["derived"] else text


def memory_table(plan: PlanSummary) -> Table:
    """GiB of one GPU: the weights, what is left for the KV cache, and the context that fits."""
    columns = ("GiB a GPU", "budget", "weights", "KV left", "KV a sequence", "at once", "longest")
    return _table(columns, map(_memory_cells, plan["models"]), left={"GiB a GPU"})


def _memory_cells(model: ModelSummary) -> tuple[str, ...]:
    memory = model["memory"]
    if memory is None:
        return (model["name"], *[_UNCHECKED] * 6)
    return (
        model["name"],
        gib(memory["budgetBytes"]),
        gib(memory["weightBytes"]),
        gib(memory["kvCacheBytes"]),
        gib(memory["kvCacheBytesPerSequence"]),
        f"{memory['concurrentSequences']:.0f}",
        str(model["longestContext"]),
    )


def speed_tables(plan: PlanSummary) -> tuple[Table, ...]:
    """The speed of each model whose measurement is that of this plan; none without one."""
    columns = (
        "measured speed",
        "at once",
        "tokens/s",
        "first token",
        "next token",
        "USD a million",
    )
    rows = tuple(
        Row(
            (
                model["name"] if number == 0 else "",
                str(level["requestsAtOnce"]),
                f"{level['outputTokensPerSecond']:,.0f}",
                _spread(level["timeToFirstTokenSeconds"]),
                _spread(level["interTokenSeconds"]),
                UNKNOWN
                if level["usdPerMillionTokens"] is None
                else f"{level['usdPerMillionTokens']:,.2f}",
            )
        )
        for model in plan["models"]
        if (speed := model.get("speed"))
        for number, level in enumerate(speed["levels"])
    )
    return (Table(columns=columns, right=frozenset(columns[1:]), rows=rows),) if rows else ()


def _spread(seconds: list[float]) -> str:
    """The median and the 95th percentile, in milliseconds."""
    return f"{span(1000 * seconds[0], 1000 * seconds[1])} ms"


def cold_start_tables(plan: PlanSummary) -> tuple[Table, ...]:
    """Seconds of each phase of a start; none of a plan of an earlier version."""
    rows = [(model["name"], model["coldStart"]) for model in plan["models"] if "coldStart" in model]
    if not rows:
        return ()
    places = [place.value for place in WeightsPlace]
    return (
        _table(
            ("cold start, s", "node", "image", *places, "engine", "graphs", "in all"),
            (
                (
                    name,
                    open_span(start["node"]),
                    open_span(start["image"]),
                    *(
                        open_span(start["weights"][place]) if place in start["weights"] else ""
                        for place in places
                    ),
                    open_span(start["engine"]),
                    open_span(start["graphs"]),
                    open_span(start["total"]),
                )
                for name, start in rows
            ),
            left={"cold start, s"},
        ),
    )


def pools_table(plan: PlanSummary) -> Table:
    """The GPU pools with their nodes and the price of a node."""
    return _table(
        ("pool", "machine", "GPUs", "zones", "nodes needed", "max", "USD/h", "as spot"),
        (
            (
                pool["id"],
                _with_spot(pool, pool["machineType"]),
                f"{pool['gpusPerNode']} x {pool['gpuName']}",
                zone_letters(pool["zones"]),
                f"{pool['nodesNeeded']['min']}-{pool['nodesNeeded']['max']}",
                str(pool["maxNodes"]),
                usd_per_hour(pool["onDemandUsdPerHour"]),
                usd_per_hour(pool["spotUsdPerHour"]),
            )
            for pool in plan["gpuPools"]
        ),
        left={"pool", "machine", "GPUs", "zones"},
    )


def off_hours_tables(plan: PlanSummary) -> tuple[Table, ...]:
    """When models sleep and for how long; none if none does."""
    rows = [(model, model.get("offHours")) for model in plan["models"]]
    sleepers = [(model, found) for model, found in rows if found is not None]
    if not sleepers:
        return ()
    return (
        _table(
            ("sleeps", "from and to", "hours a week", "a month", "node stays"),
            (
                (
                    model["name"],
                    "; ".join(found["windows"]),
                    f"{found['hoursAWeek']:.0f}",
                    f"{found['hoursAMonth']:.0f}",
                    _node_stays(model),
                )
                for model, found in sleepers
            ),
            left={"sleeps", "from and to"},
        ),
    )


def _node_stays(model: ModelSummary) -> str:
    """How long its node is paid for after the last request; plans of earlier versions don't say."""
    if "nodeStaysSeconds" not in model:
        return ""
    seconds = model["nodeStaysSeconds"]
    return "always" if seconds is None else f"{seconds / 60:.0f} min"


def cost_table(plan: PlanSummary) -> Table:
    """USD a month of each pool, the shares of its models below it, and the total."""
    columns = ("USD a month", "GPUs paid", "not used", "minimum", "typical", "maximum")
    return Table(
        columns=columns, right=frozenset(columns[1:]), rows=(*_parts(plan), *_totals(plan))
    )


def _parts(plan: PlanSummary) -> Iterable[Row]:
    for pool in plan["gpuPools"]:
        paid, idle = pool["gpusPaid"], pool["gpusIdle"]
        yield Row(
            (
                _with_spot(pool, pool["id"]),
                span(paid["minimum"], paid["maximum"]),
                span(idle["minimum"], idle["maximum"]),
                *usd_columns(pool["monthlyUsd"]),
            )
        )
        for model in plan["models"]:
            if model["gpu"] == pool["id"]:
                money = usd_columns(model["monthlyUsd"])
                yield Row((model["name"], "", "", *money), detail=True)
    if not plan["cluster"]["existing"]:
        cpu_pool = plan["cluster"]["cpuPool"]
        yield Row((f"{cpu_pool['name']} (CPU)", "", "", *usd_columns(cpu_pool["monthlyUsd"])))
        fee = plan["cost"]["clusterFee"]
        yield Row(("GKE's fee for the cluster", "", "", *usd_columns(fee)))
    if "loadBalancer" in plan["cost"]:
        rule = usd_columns(plan["cost"]["loadBalancer"])
        yield Row(("load balancer of the gateway", "", "", *rule))


def _totals(plan: PlanSummary) -> Iterable[Row]:
    cost = plan["cost"]
    paid, idle = cost["gpusPaid"], cost["gpusIdle"]
    known = " (known prices)" if cost["unpriced"] else ""
    saved = cost.get("savedByOffHours")
    if saved is not None:
        minimum, typical, maximum = (saved[level] for level in ("minimum", "typical", "maximum"))
        less = Amounts(minimum=_less(minimum), typical=_less(typical), maximum=_less(maximum))
        yield Row(("off-hours", "", "", *usd_columns(less)))
    yield Row(
        (
            f"total{known}",
            span(paid["minimum"], paid["maximum"]),
            span(idle["minimum"], idle["maximum"]),
            *usd_columns(cost["total"]),
        ),
        total=True,
    )
    yield from range_rows(cost)
    for spot, words in ((False, "on demand"), (True, "on spot")):
        total = cost["totalSpot" if spot else "totalOnDemand"]
        if total is not None and _differs(plan, spot=spot):
            yield Row((f"total, all {words}", "", "", *usd_columns(total)))


def _less(saved: float) -> float:
    """Nothing, as it is shown, is zero and not minus zero."""
    return -saved if round(saved) else 0


def _differs(plan: PlanSummary, *, spot: bool) -> bool:
    """Whether a pool is not on spot, or not on demand."""
    return any(pool["spot"] is not spot or "ways" in pool for pool in plan["gpuPools"])


def _with_spot(pool: PoolSummary, text: str) -> str:
    return f"{text} (spot)" if pool["spot"] else text


def quota_table(plan: PlanSummary) -> Table:
    """What the stack needs of each quota, and the limit that the stack file gives."""
    return _table(
        ("quota", "minimum", "upgrade", "peak", "limit"),
        (
            (
                need["metric"],
                count(need["minimum"]),
                count(need["upgrade"]),
                count(need["peak"]),
                count(need["limit"], missing="not given"),
            )
            for need in plan["quota"]
        ),
        left={"quota"},
    )


def price_note(cost: CostSummary) -> str:
    """The date of the prices, and the meaning of a typical month."""
    stated = cost["pricesOfStack"]
    own = f", of the stack file for {', '.join(stated)}" if stated else ""
    return (
        f"List prices of {cost['priceDate']}{own}; disks and traffic excluded. Typical: replicas "
        f"{cost['loadFactor'] * 100:.0f} % of the way from minimum to maximum."
        f"{_OFF_HOURS_NOTE if cost.get('savedByOffHours') else ''}"
    )


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], left: set[str]) -> Table:
    return Table(
        columns=columns, right=frozenset(columns) - left, rows=tuple(Row(cells) for cells in rows)
    )
