"""A KV cache whose size the stack file states, in bytes or in blocks.

It replaces the share of the GPU's memory: vLLM allocates it whatever the weights leave
(gpu_worker.determine_available_memory, https://github.com/vllm-project/vllm/issues/18121).
"""

import math
from collections.abc import Callable, Iterable

from models.catalog import GpuTier
from models.problems import Problem, Severity
from planning.plan import GIB, MemoryFit
from planning.sizing.batching import Batching
from planning.sizing.context_length import SHORTEST_TOKENS, STEP_TOKENS
from planning.sizing.memory.estimate import LEAST_CONTEXT_BYTES
from planning.sizing.memory.headroom import gib
from planning.sizing.memory.vllm_accounting import BLOCK_TOKENS
from planning.sizing.stated_arguments import StatedArguments

_RULE = "kv-cache-size"
_IN_BLOCKS = "num_gpu_blocks_override"
_IN_BYTES = "kv_cache_memory_bytes"


def stated_cache_problems(
    arguments: StatedArguments,
    tier: GpuTier,
    tokens: int,
    batching: Batching,
    fit: MemoryFit,
) -> Iterable[Problem]:
    """A stated cache that does not hold one sequence, or that the GPU cannot hold."""
    if not fit.kv_stated:
        return
    name = _IN_BLOCKS if isinstance(arguments.engine.get(_IN_BLOCKS), int) else _IN_BYTES
    gpu = fit.budget_bytes + fit.outside_bytes
    rest = fit.budget_bytes - fit.kv_available_bytes
    graphs = 0 if fit.graphs_in_budget else fit.graph_bytes
    largest = gpu - rest - LEAST_CONTEXT_BYTES - graphs
    left = batching.gpu_memory_utilization * gpu - rest
    leave_out = ["leave it out"] if left - fit.margin_bytes > fit.kv_per_sequence_bytes else []
    in_unit = _in_bytes if name == _IN_BYTES else _in_blocks(arguments.engine[name], tokens, fit)
    path = f"{arguments.path}.engine.{name}"
    if fit.kv_available_bytes < fit.kv_per_sequence_bytes:
        ways = list(leave_out)
        if fit.kv_per_sequence_bytes <= largest:
            ways.insert(0, f"use at least {in_unit(fit.kv_per_sequence_bytes, True)}")
        shorter = fit.longest_context // STEP_TOKENS * STEP_TOKENS
        if shorter >= SHORTEST_TOKENS:
            ways.append(f"use contextLength: {shorter}")
        remedy = ", or ".join(ways) or "use a smaller model or a larger GPU"
        yield Problem(
            path=path,
            value=arguments.engine[name],
            reason=f"gives a KV cache for {fit.longest_context} tokens of one sequence, and a "
            f"context of {tokens} tokens needs {gib(fit.kv_per_sequence_bytes, up=True)} GiB",
            remedy=remedy[0].upper() + remedy[1:],
            rule=_RULE,
        )
    elif fit.kv_available_bytes > largest:
        # Graphs are captured in what the activations of the profiling run leave free.
        certain = fit.kv_available_bytes > largest + fit.activation_bytes
        ways = list(leave_out)
        if fit.kv_per_sequence_bytes <= largest:
            ways.insert(0, f"use at most {in_unit(largest, False)}")
        remedy = ", or ".join(ways) or "use a smaller model or a larger GPU"
        yield Problem(
            path=path,
            value=arguments.engine[name],
            reason=f"gives {gib(fit.kv_available_bytes)} GiB of KV cache, and {tier.gpu_name} has "
            f"{gib(max(0, largest))} GiB for it beside weights, activations and CUDA graphs: it "
            f"{'runs' if certain else 'may run'} out of memory",
            remedy=remedy[0].upper() + remedy[1:],
            rule=_RULE,
            severity=Severity.STOP if certain else Severity.WARN,
        )


def _in_bytes(size_bytes: int, up: bool) -> str:
    """A size in whole MiB, in bytes."""
    mebibyte = GIB // 1024
    return str((-(-size_bytes // mebibyte) if up else size_bytes // mebibyte) * mebibyte)


def _in_blocks(blocks: int, tokens: int, fit: MemoryFit) -> Callable[[int, bool], str]:
    """A size in blocks of this model's cache, one more for the block that V1 never gives out."""
    block_bytes = fit.kv_available_bytes / (blocks - 1) if blocks > 1 else 0.0
    if not block_bytes:
        block_bytes = fit.kv_per_sequence_bytes / math.ceil(tokens / BLOCK_TOKENS)

    def in_blocks(size_bytes: int, up: bool) -> str:
        return str(math.ceil(size_bytes / block_bytes) + 1 if up else int(size_bytes / block_bytes))

    return in_blocks
