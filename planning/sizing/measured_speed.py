"""What a measurement says of a model as it is planned now: its speed, its cost, its replicas.

A speed is used only if everything that it depends on is what was measured. Without a measurement
nothing is said: no formula knows how fast a model is on a GPU.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from models.measurements import (
    FOLDER,
    MeasuredLevel,
    Measurement,
    MeasurementError,
    measurement_path,
    read_measurement,
)
from models.problems import Problem
from models.stack import StackSettings
from models.ways_out import outside
from planning.plan import ModelPlan, PoolPlan, ReleasePlan, SpeedPlan

_SECONDS_PER_HOUR: Final = 3600
_MILLION: Final = 1_000_000


def speed_conditions(model: ModelPlan, pool: PoolPlan, release: ReleasePlan) -> dict[str, Any]:
    """All that the speed of one replica depends on, as JSON can hold it."""
    engine: dict[str, Any] = {
        "tensor_parallel_size": model.tensor_parallel_size,
        "pipeline_parallel_size": model.pipeline_parallel_size,
        "dtype": model.dtype,
        "quantization": model.quantization,
        "max_model_len": model.max_model_len,
        "gpu_memory_utilization": model.gpu_memory_utilization,
        "max_num_seqs": model.max_num_seqs,
        "max_num_batched_tokens": model.max_num_batched_tokens,
        "enforce_eager": model.enforce_eager,
        "v0_engine": model.v0_engine,
        "asks_prefix_caching": model.asks_prefix_caching,
        "lora": model.lora_path is not None,
        **model.task_arguments,
        **model.engine,
    }
    conditions = {
        "source": model.source,
        "gpu": pool.tier.gpu_name,
        "gpusPerReplica": model.gpus_per_replica,
        "machineType": pool.machine_type,
        "ray": release.ray.ray,
        "vllm": release.vllm,
        "image": release.image,
        "engine": engine,
    }
    plain: dict[str, Any] = json.loads(json.dumps(conditions, default=_plain))
    return plain


def _plain(value: object) -> object:
    """What json does not know: read-only mappings and sets of the plan."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def measured_speeds(
    directory: Path,
    settings: StackSettings,
    models: Sequence[ModelPlan],
    pools: Iterable[PoolPlan],
    release: ReleasePlan | None,
) -> tuple[Mapping[str, SpeedPlan], tuple[Problem, ...]]:
    """The measured models of a stack by served name, and the files that cannot be used.

    directory: that of the stack file.
    """
    stack = settings.stack
    if release is None or not (directory / FOLDER / stack).is_dir():
        return {}, ()
    loads = {entry.path: entry.load for entry in settings.models}
    by_id = {pool.id: pool for pool in pools}
    speeds: dict[str, SpeedPlan] = {}
    problems: list[Problem] = []
    for model in models:
        path = measurement_path(directory, stack, model.name)
        try:
            measurement = read_measurement(path)
        except MeasurementError as error:
            problems.append(_unreadable(model, f"{FOLDER}/{stack}/{path.name}", error))
            continue
        if measurement is not None:
            pool = by_id[model.pool]
            conditions = speed_conditions(model, pool, release)
            load = loads[model.path]
            speeds[model.name] = _speed(
                measurement,
                model,
                pool,
                conditions,
                None if load is None else load.output_tokens_per_second,
            )
    return speeds, tuple(problems)


def _unreadable(model: ModelPlan, file: str, error: MeasurementError) -> Problem:
    remedy = f"Run `ray-llm measure {model.name}` again, or delete {file}"
    return Problem(
        path=model.path,
        value=model.name,
        reason=f"has a measurement, {file}, that {error}, so that the plan says nothing of speed",
        remedy=remedy,
        rule="measurement-unreadable",
        candidates=(outside(remedy[0].lower() + remedy[1:]),),
    )


def _speed(
    measurement: Measurement,
    model: ModelPlan,
    pool: PoolPlan,
    conditions: Mapping[str, Any],
    load: float | None,
) -> SpeedPlan:
    changed = tuple(_changed(measurement.conditions, conditions))
    fastest = max(_per_replica(measurement, level) for level in measurement.levels)
    return SpeedPlan(
        measurement=measurement,
        changed=changed,
        usd_per_million_tokens={} if changed else _usd(measurement, model, pool),
        load=load,
        replicas_at_load=None if changed or load is None else math.ceil(load / fastest),
    )


def _per_replica(measurement: Measurement, level: MeasuredLevel) -> float:
    return level.output_tokens_per_second / measurement.replicas


def _usd(measurement: Measurement, model: ModelPlan, pool: PoolPlan) -> Mapping[int, Decimal]:
    if pool.node_usd_per_hour is None:
        return {}
    hour = pool.node_usd_per_hour * model.gpus_per_replica / pool.tier.gpu_count
    return {
        level.requests_at_once: hour
        * _MILLION
        / (Decimal(str(_per_replica(measurement, level))) * _SECONDS_PER_HOUR)
        for level in measurement.levels
    }


def _changed(then: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The names of what differs, those of the engine's settings below `engine`."""
    for name in dict.fromkeys([*then, *now]):
        was, is_ = then.get(name), now.get(name)
        if not above and isinstance(was, dict) and isinstance(is_, dict):
            yield from _changed(was, is_, f"{name}.")
        elif was != is_:
            yield f"{above}{name}"
