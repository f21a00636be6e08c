"""Host memory and CPUs of a GPU node: what engines need of them in addition to the GPUs."""

from collections.abc import Iterable
from typing import Final

from models.catalog import machine_type, vllm_behaviour
from models.problems import Problem
from models.ways_out import leave_out, use
from planning.checks.contexts import PlacedContext, StackContext

# CacheConfig.verify_with_parallel_config, vLLM 0.10: ValueError above 0.7 of the host's memory.
_LARGEST_SWAP_SHARE: Final = 0.7
_ABSURD_GIB: Final = 1_000_000
_REPLICA_CPUS: Final = 1  # what a replica asks Ray for, manifests/serve_config.py
# Host memory of a process that runs PyTorch, CUDA and vLLM, and of Ray beside them: estimates on
# the low side. A replica has one process for its engine and one for each of several GPUs.
_PROCESS_GIB: Final = 2
_RAY_GIB: Final = 2


def host_memory_problems(context: PlacedContext) -> Iterable[Problem]:
    """Swap space, processes and offloaded weights, which count for each GPU, against the memory.

    https://github.com/Ksuriuri/index-tts-vllm/issues/99; weights that are offloaded stay in the
    pod, whose limit is what a node leaves (https://docs.vllm.ai/en/latest/api/vllm/config/).
    """
    engine, pool, gpus = context.engine, context.pool, context.model.gpus_per_replica
    swap_problems = tuple(_swap_problems(context))
    yield from swap_problems
    if not swap_problems:
        yield from _process_problems(context)
    offload = _gib(engine.get("cpu_offload_gb"))
    offload_path = f"{context.path}.engine.cpu_offload_gb"
    half = pool.pod.memory_gib // (2 * gpus)
    if offload * gpus > pool.pod.memory_gib:
        yield Problem(
            path=f"{context.path}.engine.cpu_offload_gb",
            value=engine["cpu_offload_gb"],
            reason=f"GiB per GPU ({gpus} in use) are more than the {pool.pod.memory_gib} GiB that "
            f"a pod of {pool.id} has: it would be killed while it loads",
            remedy="Use less, or a larger machineType",
            rule="cpu-offload",
            candidates=(
                leave_out(offload_path, "leave it out"),
                use(offload_path, half, f"use at most {half}"),
            ),
        )
    elif offload:
        yield Problem(
            path=f"{context.path}.engine.cpu_offload_gb",
            value=engine["cpu_offload_gb"],
            reason="keeps weights in the host's memory and sends them to the GPU for every token, "
            "some ten times slower than a model that fits",
            remedy="Prefer a quantized model or a larger GPU",
            rule="cpu-offload-slow",
            candidates=(leave_out(offload_path, "leave it out"),),
        )


def _swap_problems(context: PlacedContext) -> Iterable[Problem]:
    """Swap space, stated or vLLM's own: what vLLM refuses, and what the pod cannot hold.

    vLLM compares it with the machine for the GPUs of a tensor parallel group. Only the V0 engine
    allocates it, pinned, when it starts (https://github.com/ai-dynamo/dynamo/issues/356).
    """
    stated, model, pool = context.engine.get("swap_space"), context.model, context.pool
    swap = _swap_gib(context)
    machine = machine_type(pool.machine_type)
    limits: list[tuple[float, int, str]] = []
    if machine is not None:
        accepted = _LARGEST_SWAP_SHARE * machine.memory_gib
        gives = f"vLLM accepts on {machine.id} with {machine.memory_gib:g} GiB"
        limits.append((accepted, model.tensor_parallel_size, gives))
    if model.v0_engine:
        gives = f"a pod of {pool.id} has with {pool.pod.memory_gib} GiB"
        limits.append((pool.pod.memory_gib, model.gpus_per_replica, gives))
    exceeded = [limit for limit in limits if swap * limit[1] > limit[0]]
    if not exceeded:
        return
    _, gpus, gives = exceeded[0]
    most = max(0, int(min(limit / count for limit, count, _ in exceeded)))
    amount = f"GiB per GPU ({gpus} in use) are more than {gives}"
    path, own = f"{context.path}.engine.swap_space", _own_swap_gib(context)
    yield Problem(
        path=path,
        value=stated,
        reason=amount if stated is not None else f"is left out, and vLLM's own {swap:g} {amount}",
        remedy="Use less, or a larger machineType",
        rule="swap-space",
        candidates=(
            use(path, most, f"use at most {most}"),
            *((leave_out(path, f"leave it out ({own:g})"),) if stated is not None else ()),
        ),
    )


def _process_problems(context: PlacedContext) -> Iterable[Problem]:
    """Several engine processes on a machine with little memory.

    https://github.com/vllm-project/vllm/issues/322 and /1160: Ray or the kernel kills one of them.
    """
    model, pool = context.model, context.pool
    gpus = model.gpus_per_replica
    processes = (1 + gpus) * _PROCESS_GIB + _RAY_GIB
    swap = _swap_gib(context) if model.v0_engine else 0.0
    if gpus == 1 or processes + swap * gpus <= pool.pod.memory_gib:
        return
    larger = pool.tier.machine_type
    ways = []
    most = int((pool.pod.memory_gib - processes) / gpus)
    if swap and most >= 0:
        ways.append(use(f"{context.path}.engine.swap_space", most))
    if pool.machine_type != larger:
        words = f"use machineType: {larger} on the pool"
        ways.append(use(f"{pool.path}.machineType", larger, words))
    yield Problem(
        path=context.spec.arguments.path_of("tensor_parallel_size"),
        value=gpus,
        reason=f"GPUs run {1 + gpus} processes of some {_PROCESS_GIB} GiB of host memory"
        + (f" and reserve {swap * gpus:g} GiB of swap space" if swap else "")
        + f", and a pod on {pool.machine_type} has {pool.pod.memory_gib} GiB: one of them may be "
        "killed",
        remedy="Use fewer GPUs for each replica",
        rule="host-memory",
        candidates=ways,
    )


def _swap_gib(context: PlacedContext) -> float:
    """GiB of swap space for each GPU: as stated, else vLLM's own."""
    stated = context.engine.get("swap_space")
    return _own_swap_gib(context) if stated is None else _gib(stated)


def _own_swap_gib(context: PlacedContext) -> float:
    return vllm_behaviour(context.spec.release.vllm).swap_space_gib


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
                remedy="Use a machine with more CPUs",
                rule="node-cpus",
                candidates=(
                    use(
                        f"{pool.path}.machineType",
                        pool.tier.machine_type,
                        f"use {pool.tier.machine_type}",
                    ),
                ),
            )


def _gib(value: object) -> float:
    """The value in GiB; 0 if it is not a number, and at most an absurdly large one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(max(0, min(value, _ABSURD_GIB)))
