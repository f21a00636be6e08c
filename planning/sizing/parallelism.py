"""Over how many GPUs of one node a replica is spread.

Tensor parallelism splits attention heads and the intermediate layer, so it must divide them; a
replica never leaves its node, because the network between nodes is too slow for an all-reduce.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from models.architecture import AttentionKind
from models.catalog import GpuTier
from models.problems import Problem
from models.ways_out import WayOut, leave_out, use
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.stated_arguments import StatedArguments

# Methods whose groups or blocks of weights share a scale that no GPU boundary may cut.
_GROUPED: Final = ("awq", "gptq", "compressed-tensors", "fp8")


def tensor_parallel_sizes(checkpoint: Checkpoint, tier: GpuTier) -> tuple[int, ...]:
    """The degrees that this checkpoint allows on a node of the tier, smallest first."""
    return tuple(
        degree
        for degree in range(1, tier.gpu_count + 1)
        if tier.gpu_count % degree == 0 and obstacle(checkpoint, degree) is None
    )


def obstacle(checkpoint: Checkpoint, degree: int) -> str | None:
    """Why a model cannot be split over `degree` GPUs, None if it can.

    The checks are vLLM's: heads in ModelConfig.verify_with_parallel_config, KV heads in
    QKVParallelLinear, the intermediate size in MergedColumnParallelLinear and FusedMoE, groups in
    the AWQ, GPTQ and compressed-tensors linear methods, blocks in Fp8LinearMethod and Fp8MoEMethod
    (https://github.com/vllm-project/vllm/issues/21695 and /17569).
    """
    architecture = checkpoint.architecture
    if architecture is None or degree == 1:
        return None
    heads = architecture.num_attention_heads
    if heads % degree:
        return f"does not divide the model's {heads} attention heads"
    kv_heads = architecture.num_key_value_heads
    if (
        architecture.attention.kind is not AttentionKind.MLA
        and kv_heads % degree
        and degree % kv_heads
    ):
        return f"neither divides nor repeats the model's {kv_heads} key-value heads"
    width = architecture.moe_intermediate_size or architecture.intermediate_size
    if width % degree:
        return f"does not divide the model's intermediate size {width}"
    quantization = checkpoint.quantization
    group = quantization.group_size if quantization and quantization.method in _GROUPED else None
    if group and width % (group * degree):
        return (
            f"splits the intermediate size {width} in the middle of a quantization group of {group}"
        )
    return None


def parallelism_problems(
    checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier
) -> Iterable[Problem]:
    """What is wrong with stated degrees on this tier."""
    tensor = arguments.get("tensor_parallel_size")
    pipeline = arguments.get("pipeline_parallel_size")
    asked = (tensor or 1) * (pipeline or 1)
    path = arguments.path_of(
        "tensor_parallel_size" if tensor is not None else "pipeline_parallel_size"
    )
    sizes = tensor_parallel_sizes(checkpoint, tier)
    if asked > tier.gpu_count:
        yield Problem(
            path=path,
            value=asked,
            reason=f"GPUs for each replica are more than the {tier.gpu_count} of a node of "
            f"{tier.id}",
            remedy="Use fewer GPUs for a replica, or a pool with more GPUs in a node",
            rule="tensor-parallel-node",
            candidates=_degrees(path, sizes, tier),
        )
    reason = obstacle(checkpoint, tensor) if tensor else None
    if reason:
        yield Problem(
            path=arguments.path_of("tensor_parallel_size"),
            value=tensor,
            reason=reason,
            remedy=f"{tier.id} allows {_alternatives(sizes)}",
            rule="tensor-parallel-heads",
            candidates=_degrees(arguments.path_of("tensor_parallel_size"), sizes, tier),
        )
    layers = checkpoint.architecture.num_hidden_layers if checkpoint.architecture else None
    if pipeline and layers and pipeline > layers:
        yield Problem(
            path=arguments.path_of("pipeline_parallel_size"),
            value=pipeline,
            reason=f"stages are more than the model's {layers} layers",
            remedy="Use fewer stages",
            rule="pipeline-parallel-layers",
            candidates=(
                leave_out(arguments.path_of("pipeline_parallel_size"), "leave it out"),
                use(arguments.path_of("pipeline_parallel_size"), layers, f"use at most {layers}"),
            ),
        )


def _degrees(path: str, sizes: Sequence[int], tier: GpuTier) -> Iterable[WayOut]:
    """The largest degree that passes: it leaves the most memory for the cache."""
    for size in reversed(sizes):
        yield use(path, size, f"use {size} on {tier.id}", group="degree")
    yield leave_out(path, "leave it out: the smallest that fits is chosen", group="degree")


def _alternatives(sizes: Sequence[int]) -> str:
    *others, last = (str(size) for size in sizes)
    return f"{', '.join(others)} or {last}" if others else last
