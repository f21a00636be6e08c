"""Doubts about the memory of a configuration whose estimate fits.

`memory-doubt` warns if the verdict is within the error of the estimate. `utilization-high` and
`cuda-graph-headroom` look at what gpu_memory_utilization leaves of the GPU for the CUDA context
and the CUDA graphs, which older vLLM releases do not count.
"""

import math
from collections.abc import Iterable

from models.catalog import GpuTier
from models.problems import Problem, Severity
from models.ways_out import WayOut, leave_out, outside, use
from planning.plan import GIB, MemoryFit
from planning.sizing.batching import Batching
from planning.sizing.context_length import STEP_TOKENS
from planning.sizing.memory.estimate import CONTEXT_BYTES, LEAST_CONTEXT_BYTES
from planning.sizing.stated_arguments import StatedArguments

_RULE_DOUBT = "memory-doubt"
_RULE_CONTEXT = "utilization-high"
_RULE_GRAPHS = "cuda-graph-headroom"
# Who gives these chooses which graphs are captured, so their size is not known.
_GRAPH_ARGUMENTS = frozenset({"compilation_config", "cuda_graph_sizes", "cudagraph_capture_sizes"})


def memory_problems(
    arguments: StatedArguments, tier: GpuTier, tokens: int, batching: Batching, fit: MemoryFit
) -> Iterable[Problem]:
    """The doubts about one model on one tier; `tokens` is its context length."""
    yield from _doubt(arguments, tier, tokens, fit)
    yield from _outside(arguments, tier, batching, fit)


def _doubt(
    arguments: StatedArguments, tier: GpuTier, tokens: int, fit: MemoryFit
) -> Iterable[Problem]:
    if not fit.doubtful:
        return
    sure = fit.sure_context // STEP_TOKENS * STEP_TOKENS
    path = arguments.path_to_set("max_model_len")
    yield Problem(
        path=arguments.path_of("max_model_len"),
        value=tokens
        if arguments.get("max_model_len") is not None
        else f"a context of {tokens} tokens",
        reason=f"may not fit: it needs {gib(fit.kv_per_sequence_bytes, up=True)} GiB of KV cache "
        f"per sequence, {tier.id} leaves {gib(fit.kv_available_bytes)} GiB, and the estimate can "
        f"be off by {gib(fit.margin_bytes, up=True)} GiB",
        remedy="Try it before you rely on it, or give it more memory",
        rule=_RULE_DOUBT,
        severity=Severity.WARN,
        candidates=(use(path, sure, f"use at most {sure} to be sure"), outside("try it"))
        if sure
        else (),
    )


def _outside(
    arguments: StatedArguments, tier: GpuTier, batching: Batching, fit: MemoryFit
) -> Iterable[Problem]:
    """What the utilization leaves for context and graphs.

    vLLM refuses to start if less is free than it may use. Graphs that are larger than the rest
    take memory that the activations need, and fail if even that is too small.
    """
    if fit.kv_stated:
        return  # stated_cache.py compares it with the GPU
    utilization = batching.gpu_memory_utilization
    own_sizes = not _GRAPH_ARGUMENTS.isdisjoint(arguments.engine)
    graphs = 0 if fit.graphs_in_budget or own_sizes else fit.graph_bytes
    path = arguments.path_of("gpu_memory_utilization")
    if fit.outside_bytes < LEAST_CONTEXT_BYTES:
        yield Problem(
            path=path,
            value=utilization,
            reason=f"leaves {gib(fit.outside_bytes)} GiB of {tier.gpu_name}, less than the CUDA "
            "context takes, so vLLM finds less free memory than it may use",
            remedy="Use a smaller share",
            rule=_RULE_CONTEXT,
            candidates=(
                *(use(path, share, f"use at most {share}", "share") for share in (0.95, 0.9)),
            ),
        )
    elif graphs and fit.outside_bytes < LEAST_CONTEXT_BYTES + graphs - fit.activation_bytes:
        yield _graphs_problem(arguments, tier, batching, fit, Severity.STOP)
    elif graphs and fit.outside_bytes < LEAST_CONTEXT_BYTES + graphs:
        yield _graphs_problem(arguments, tier, batching, fit, Severity.WARN)


def _graphs_problem(
    arguments: StatedArguments,
    tier: GpuTier,
    batching: Batching,
    fit: MemoryFit,
    severity: Severity,
) -> Problem:
    certain = severity is Severity.STOP
    needed = CONTEXT_BYTES + fit.graph_bytes
    enough = math.floor((1 - needed / (fit.outside_bytes + fit.budget_bytes)) * 100) / 100
    return Problem(
        path=arguments.path_of("gpu_memory_utilization"),
        value=batching.gpu_memory_utilization,
        reason=f"leaves {gib(fit.outside_bytes)} GiB of {tier.gpu_name} for the CUDA context and "
        f"{gib(fit.graph_bytes, up=True)} GiB of CUDA graphs, which vLLM captures outside of it: "
        f"it {'runs' if certain else 'may run'} out of memory"
        f"{' while capturing them' if certain else ' under load'}",
        remedy="Use a smaller share, fewer max_num_seqs or enforce_eager",
        rule=_RULE_GRAPHS,
        severity=severity,
        candidates=_ways_for_graphs(arguments, enough, batching),
    )


def _ways_for_graphs(
    arguments: StatedArguments, enough: float, batching: Batching
) -> Iterable[WayOut]:
    share = arguments.path_to_set("gpu_memory_utilization")
    if enough > 0:
        yield use(share, enough, f"use {enough:g}", "share")
    yield leave_out(share, "leave it out", "share")
    yield use(arguments.path_to_set("max_num_seqs"), batching.max_num_seqs // 2 or 1)
    yield use(arguments.path_to_set("enforce_eager"), True)


def gib(size_bytes: float, up: bool = False) -> str:
    """GiB with one decimal, never rounded in the direction that would hide a miss."""
    tenths = size_bytes / GIB * 10
    return f"{(math.ceil(tenths) if up else math.floor(tenths)) / 10:.1f}"
