"""A KV cache whose size the stack file states, in bytes or in blocks.

It replaces the share of the GPU's memory: vLLM allocates it whatever the weights leave
(gpu_worker.determine_available_memory, https://github.com/vllm-project/vllm/issues/18121).
"""

import math
from collections.abc import Callable, Iterable

from models.catalog import GpuTier
from models.problems import Problem, Severity
from models.ways_out import WayOut, leave_out, use
from planning.plan import GIB, MemoryFit
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
    in_unit = _in_bytes if name == _IN_BYTES else _in_blocks(arguments.engine[name], tokens, fit)
    path = f"{arguments.path}.engine.{name}"
    if fit.kv_available_bytes < fit.kv_per_sequence_bytes:
        ways: list[WayOut] = []
        if fit.kv_per_sequence_bytes <= largest:
            least = in_unit(fit.kv_per_sequence_bytes, True)
            ways.append(use(path, least, f"use at least {least}"))
        ways.append(leave_out(path, "leave it out"))
        shorter = fit.longest_context // STEP_TOKENS * STEP_TOKENS
        if shorter >= SHORTEST_TOKENS:
            ways.append(use(arguments.path_to_set("max_model_len"), shorter))
        yield Problem(
            path=path,
            value=arguments.engine[name],
            reason=f"gives a KV cache for {fit.longest_context} tokens of one sequence, and a "
            f"context of {tokens} tokens needs {gib(fit.kv_per_sequence_bytes, up=True)} GiB",
            remedy="Use a smaller model or a larger GPU",
            candidates=ways,
            rule=_RULE,
        )
    elif fit.kv_available_bytes > largest:
        # Graphs are captured in what the activations of the profiling run leave free.
        certain = fit.kv_available_bytes > largest + fit.activation_bytes
        ways = []
        if fit.kv_per_sequence_bytes <= largest:
            most = in_unit(largest, False)
            ways.append(use(path, most, f"use at most {most}"))
        ways.append(leave_out(path, "leave it out"))
        yield Problem(
            path=path,
            value=arguments.engine[name],
            reason=f"gives {gib(fit.kv_available_bytes)} GiB of KV cache, and {tier.gpu_name} has "
            f"{gib(max(0, largest))} GiB for it beside weights, activations and CUDA graphs: it "
            f"{'runs' if certain else 'may run'} out of memory",
            remedy="Use a smaller model or a larger GPU",
            candidates=ways,
            rule=_RULE,
            severity=Severity.STOP if certain else Severity.WARN,
        )


def _in_bytes(size_bytes: int, up: bool) -> int:
    """A size in whole MiB, in bytes."""
    mebibyte = GIB // 1024
    return (-(-size_bytes // mebibyte) if up else size_bytes // mebibyte) * mebibyte


def _in_blocks(blocks: int, tokens: int, fit: MemoryFit) -> Callable[[int, bool], int]:
    """A size in blocks of this model's cache, one more for the block that V1 never gives out."""
    block_bytes = fit.kv_available_bytes / (blocks - 1) if blocks > 1 else 0.0
    if not block_bytes:
        block_bytes = fit.kv_per_sequence_bytes / math.ceil(tokens / BLOCK_TOKENS)

    def in_blocks(size_bytes: int, up: bool) -> int:
        return math.ceil(size_bytes / block_bytes) + 1 if up else int(size_bytes / block_bytes)

    return in_blocks
