"""Where weights lie if nodes do not download them, and the room that reading them takes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from models.catalog import machine_type
from models.stack import ModelDeployment, StackSettings
from models.weights import WeightsPlace
from planning.infrastructure.allocatable import allocatable
from planning.plan import BucketPlan, ModelPlan, PoolPlan, StoredModel, WeightsPlan

MOUNT: Final = "/weights"
"""The folder of the containers in which a bucket or a disk is mounted."""
SIDECAR_CPU: Final = 0.25
SIDECAR_MEMORY_GIB: Final = 0.5
"""What the container of Cloud Storage FUSE asks for beside Ray's: GKE's default of CPU, and twice
its default of memory."""

_USUAL_REVISION: Final = "main"
# Values of load_format with which vLLM reads safetensors alone, if there are any.
_OF_SAFETENSORS: Final = (
    None,
    "auto",
    "hf",
    "safetensors",
    "fastsafetensors",
    "runai_streamer",
)
_ELSEWHERE: Final = ("/", ".", "~", "file:", "gs://", "s3://")


def weights_place(deployment: ModelDeployment, settings: StackSettings) -> WeightsPlace:
    """From where nodes read the weights of a model of the hub."""
    return deployment.weights or settings.weights.place


def mounted_folder(settings: StackSettings) -> str | None:
    """The folder in which the containers find the bucket or the disk; None without one."""
    return None if settings.weights.place is WeightsPlace.HUB else MOUNT


def is_of_hub(source: str) -> bool:
    """Whether a source is a repository of the hub, not a path or a bucket."""
    return not source.startswith(_ELSEWHERE)


def stored_model(
    source: str, engine: Mapping[str, Any], size_bytes: int | None = None
) -> StoredModel:
    """The folder that a repository is kept in, one for each revision.

    engine: vLLM's arguments, of which `revision` counts.
    """
    revision = str(engine.get("revision") or _USUAL_REVISION)
    loads_tensors = engine.get("load_format") in _OF_SAFETENSORS
    usual = all(engine.get(name) in (None, "auto") for name in ("config_format", "tokenizer_mode"))
    return StoredModel(
        source=source,
        revision=revision,
        folder=f"{source}/{revision.replace('/', '--')}",
        size_bytes=size_bytes,
        any_format=not (loads_tensors and usual),
    )


def weights_path(source: str, engine: Mapping[str, Any], place: WeightsPlace) -> str | None:
    """Where the weights of a model lie in the container; None if it loads its source itself."""
    if place is WeightsPlace.HUB or not is_of_hub(source):
        return None
    return f"{MOUNT}/{stored_model(source, engine).folder}"


def weights_plan(settings: StackSettings, models: Sequence[ModelPlan]) -> WeightsPlan | None:
    """What lies in the bucket or on the disk of a stack; None if it has neither."""
    stated = settings.weights
    if stated.place is WeightsPlace.HUB:
        return None
    stored = tuple(
        dict.fromkeys(
            stored_model(model.source, model.engine, model.checkpoint_bytes)
            for model in models
            if model.weights_path is not None
        )
    )
    if stated.bucket is None:
        return WeightsPlan(claim=stated.disk, models=stored)
    name, _, folder = stated.bucket.removeprefix("gs://").partition("/")
    bucket = BucketPlan(
        name=name,
        folder=folder,
        location=stated.location or settings.region,
        existing=stated.existing,
        # As with the cluster: what is protected is not deleted by mistake.
        deletes_weights=not stated.existing and not settings.cluster.deletion_protection,
    )
    return WeightsPlan(bucket=bucket, models=stored)


def beside_the_sidecar(pools: Iterable[PoolPlan], settings: StackSettings) -> tuple[PoolPlan, ...]:
    """The pools, with Ray pods that leave room for the container that reads a bucket."""
    if settings.weights.bucket is None:
        return tuple(pools)
    return tuple(map(_with_room, pools))


def _with_room(pool: PoolPlan) -> PoolPlan:
    machine = machine_type(pool.machine_type)
    if machine is None:
        return pool
    room, pod = allocatable(machine), pool.pod
    cpu = math.floor(room.cpu_for_pods - SIDECAR_CPU)
    memory = math.floor(room.memory_gib_for_pods - SIDECAR_MEMORY_GIB)
    return replace(
        pool,
        pod=replace(
            pod, cpu=max(1, min(pod.cpu, cpu)), memory_gib=max(1, min(pod.memory_gib, memory))
        ),
    )
