"""Engine arguments about parallelism that depend on how many GPUs a replica is spread over."""

from collections.abc import Iterable

from models.architecture import AttentionKind
from models.problems import Problem
from models.ways_out import leave_out, outside, use
from planning.checks.contexts import PlacedContext


def parallel_argument_problems(context: PlacedContext) -> Iterable[Problem]:
    """What ParallelConfig and ModelConfig.verify_with_parallel_config refuse."""
    yield from _expert_balancing(context)
    yield from _decode_context(context)


def _expert_balancing(context: PlacedContext) -> Iterable[Problem]:
    """https://docs.vllm.ai/en/latest/serving/expert_parallel_deployment.html"""
    if context.engine.get("enable_eplb") is not True:
        return
    where = f"{context.path}.engine.enable_eplb"
    if context.engine.get("enable_expert_parallel") is not True:
        yield Problem(
            path=where,
            value=True,
            reason="balances experts over GPUs, and without enable_expert_parallel vLLM refuses it",
            remedy="Leave it out",
            rule="expert-balancing",
            candidates=(
                leave_out(where, "leave it out"),
                use(
                    f"{context.path}.engine.enable_expert_parallel",
                    True,
                    "add enable_expert_parallel: true",
                ),
            ),
        )
    elif context.model.tensor_parallel_size == 1:
        yield Problem(
            path=where,
            value=True,
            reason="balances experts over several GPUs, and a replica runs on one",
            remedy="Leave it out, or set tensorParallelSize",
            rule="expert-balancing",
            candidates=(leave_out(where, "leave it out"), outside("set tensorParallelSize")),
        )


def _decode_context(context: PlacedContext) -> Iterable[Problem]:
    """The KV cache can be spread over GPUs that would hold copies of the same KV heads."""
    degree = context.engine.get("decode_context_parallel_size")
    tensor = context.model.tensor_parallel_size
    if not isinstance(degree, int) or isinstance(degree, bool) or degree <= 1:
        return
    reason = None
    architecture = context.spec.checkpoint.architecture
    if tensor % degree:
        reason = f"does not divide the {tensor} GPUs over which a replica is spread"
    elif architecture is not None and architecture.attention.kind is not AttentionKind.MLA:
        kv_heads = architecture.num_key_value_heads
        queries = architecture.num_attention_heads // kv_heads
        if degree > tensor // kv_heads:
            reason = (
                f"is above {tensor // kv_heads}, the copies of each of {kv_heads} KV heads on "
                f"{tensor} GPUs"
            )
        elif queries % degree:
            reason = f"does not divide the {queries} query heads of each KV head"
    if reason is not None:
        where = f"{context.path}.engine.decode_context_parallel_size"
        yield Problem(
            path=where,
            value=degree,
            reason=reason,
            remedy="Leave it out",
            rule="decode-context-parallel",
            candidates=(leave_out(where, "leave it out"),),
        )
