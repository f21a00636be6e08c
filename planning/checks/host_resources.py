"""Host memory and CPUs of a GPU node: what engines need of them in addition to the GPUs."""

from collections.abc import Iterable
from typing import Final

from models.catalog import machine_type
from models.problems import Problem
from planning.checks.contexts import PlacedContext, StackContext

# CacheConfig.verify_with_parallel_config, vLLM 0.10: ValueError above 0.7 of the host's memory.
_LARGEST_SWAP_SHARE: Final = 0.7
_ABSURD_GIB: Final = 1_000_000
_REPLICA_CPUS: Final = 1  # what a replica asks Ray for, manifests/serve_config.py


def host_memory_problems(context: PlacedContext) -> Iterable[Problem]:
    """Swap space and offloaded weights, which count for each GPU, against the node's memory.

    https://github.com/Ksuriuri/index-tts-vllm/issues/99; weights that are offloaded stay in the
    pod, whose limit is what a node leaves (https://docs.vllm.ai/en/latest/api/vllm/config/).
    """
    engine, pool, gpus = context.engine, context.pool, context.model.gpus_per_replica
    swap = _gib(engine.get("swap_space"))
    machine = machine_type(pool.machine_type)
    if machine is not None and swap * gpus > _LARGEST_SWAP_SHARE * machine.memory_gib:
        most = int(_LARGEST_SWAP_SHARE * machine.memory_gib / gpus)
        yield Problem(
            path=f"{context.path}.engine.swap_space",
            value=engine["swap_space"],
            reason=f"GiB per GPU ({gpus} in use) are more than vLLM accepts on "
            f"{machine.id} with {machine.memory_gib:g} GiB",
            remedy=f"Use at most {most}, or leave it out (4)",
            rule="swap-space",
        )
    offload = _gib(engine.get("cpu_offload_gb"))
    if offload * gpus > pool.pod.memory_gib:
        yield Problem(
            path=f"{context.path}.engine.cpu_offload_gb",
            value=engine["cpu_offload_gb"],
            reason=f"GiB per GPU ({gpus} in use) are more than the {pool.pod.memory_gib} GiB that "
            f"a pod of {pool.id} has: it would be killed while it loads",
            remedy=f"Use at most {pool.pod.memory_gib // (2 * gpus)}, or a larger machineType",
            rule="cpu-offload",
        )
    elif offload:
        yield Problem(
            path=f"{context.path}.engine.cpu_offload_gb",
            value=engine["cpu_offload_gb"],
            reason="keeps weights in the host's memory and sends them to the GPU for every token, "
            "some ten times slower than a model that fits",
            remedy="Prefer a quantized model or a larger GPU",
            rule="cpu-offload-slow",
        )


def host_cpu_problems(context: StackContext) -> Iterable[Problem]:
    """GPUs of a node that no replica can use, because the node's CPUs run out first.

    A replica takes one CPU of its pod: ray-project/kuberay#4239 is about pods sized to the node.
    """
    for pool in context.pools:
        small = [model.gpus_per_replica for model in context.models if model.pool == pool.id]
        if not small:
            continue
        replicas = pool.tier.gpu_count // min(small)
        if replicas * _REPLICA_CPUS > pool.pod.cpu:
            yield Problem(
                path=f"{pool.path}.machineType",
                value=pool.machine_type,
                reason=f"leaves {pool.pod.cpu} CPUs for pods, and {replicas} replicas fit its "
                f"{pool.tier.gpu_count} GPUs and take one CPU each: some GPUs would idle",
                remedy=f"Use {pool.tier.machine_type}",
                rule="node-cpus",
            )


def _gib(value: object) -> float:
    """The value in GiB; 0 if it is not a number, and at most an absurdly large one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(max(0, min(value, _ABSURD_GIB)))
