"""The problem of a model that does not fit, with the smallest changes that would make it fit.

Changes are tried, not guessed: each is put into the spec and the model is sized again. The least
intrusive come first: a shorter context, then engine arguments, then another checkpoint, then
another pool.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from models.catalog import GpuTier, llms, vllm_behaviour
from models.problems import Problem
from models.ways_out import WayOut, together, use
from planning.infrastructure.pool_price import PoolChoice
from planning.placement.other_pools import Offer, fitting, other_pools
from planning.plan import MemoryFit
from planning.sizing.batching import FEWEST_SEQUENCES, FEWEST_TOKENS, V0_WHOLE_PROMPT_TOKENS
from planning.sizing.checkpoint import checkpoint_of
from planning.sizing.context_length import SHORTEST_TOKENS, STEP_TOKENS, ContextLength
from planning.sizing.memory.headroom import gib
from planning.sizing.model_sizing import ModelSizing, ModelSpec, size_model
from planning.sizing.stated_arguments import DECIDED, StatedArgument

# The rest of the GPU is for the CUDA context and CUDA graphs.
_UTILIZATIONS: Final = (0.9, 0.95)


@dataclass(frozen=True, kw_only=True)
class _Change:
    """One change of a stack file, as a way out and as engine arguments."""

    way: WayOut
    new_values: dict[str, Any]


def does_not_fit(
    spec: ModelSpec,
    pool: PoolChoice,
    sizing: ModelSizing,
    pools: Sequence[PoolChoice],
    offer: Offer,
    largest_listed: bool = False,
) -> Problem:
    """The problem of a configuration that memory alone forbids."""
    fit = sizing.fit
    if fit is None:
        raise ValueError("only a checked configuration can fail to fit")
    tokens = sizing.max_model_len
    gpus = f" on {sizing.gpus} GPUs" if sizing.gpus > 1 else ""
    where = f"{pool.id}{' (the largest listed)' if largest_listed else ''}{gpus}"
    stated = spec.arguments.get("max_model_len") is not None
    shorter = _shorter_context(spec, pool, fit, sizing.precision.v0_engine)
    if shorter is None:
        reason = (
            f"needs {gib(fit.weight_bytes + fit.activation_bytes + fit.runtime_bytes)} GiB a GPU "
            f"before any KV cache ({gib(fit.weight_bytes)} of weights) and "
            f"{gib(fit.kv_per_sequence_bytes)} GiB for one sequence of {tokens} tokens; {where} "
            f"gives {gib(fit.budget_bytes)} GiB"
        )
        at = spec.arguments.path
        value: object = spec.deployment.served_name
    else:
        reason = (
            f"needs {gib(fit.kv_per_sequence_bytes, up=True)} GiB of KV cache per sequence; "
            f"{where} leaves {gib(fit.kv_available_bytes)} GiB"
            + (f" beside a draft of {gib(fit.draft_bytes, up=True)} GiB" if fit.draft_bytes else "")
        )
        at = spec.arguments.path_of("max_model_len")
        value = tokens if stated else f"a context of {tokens} tokens"
    return Problem(
        path=at,
        value=value,
        reason=reason,
        remedy="Use a smaller or a quantized model, or GPUs with more memory",
        rule="memory-fit",
        candidates=_ways(spec, pool, sizing, shorter, pools, offer),
    )


def _ways(
    spec: ModelSpec,
    pool: PoolChoice,
    sizing: ModelSizing,
    shorter: int | None,
    pools: Sequence[PoolChoice],
    offer: Offer,
) -> Iterator[WayOut]:
    if shorter is not None:
        stated = spec.arguments.get("max_model_len") is not None
        words = f"use at most {shorter}" if stated else ""
        yield use(spec.arguments.path_to_set("max_model_len"), shorter, words)
    yield from _here(spec, pool, sizing)
    yield from other_pools(spec, pool, pools, offer)


def _shorter_context(
    spec: ModelSpec, pool: PoolChoice, fit: MemoryFit, v0_engine: bool
) -> int | None:
    """The longest context, in whole steps, that is sure to fit; None if none of use does.

    The estimate for the refused context is only a start: V0 takes shorter prompts whole, so a
    shorter context may need more activations than the refused one.
    """
    most = (fit.sure_context or fit.longest_context) // STEP_TOKENS * STEP_TOKENS
    # Longer prompts are chunked: if `most` is refused, the length of a step is not the reason.
    # If they are not, as V0 does with a window, the refused step was larger than a shorter one.
    longest = min(spec.context.tokens, V0_WHOLE_PROMPT_TOKENS) // STEP_TOKENS * STEP_TOKENS
    reach = longest if v0_engine else min(most, V0_WHOLE_PROMPT_TOKENS)
    whole = range(reach, SHORTEST_TOKENS - 1, -STEP_TOKENS)
    tries = (most, *whole) if most > V0_WHOLE_PROMPT_TOKENS else whole
    for tokens in tries:
        context = ContextLength(tokens=tokens, may_shorten=False)
        shorter = replace(_changed(spec, {"max_model_len": tokens}), context=context)
        if fitting(shorter, pool) is not None:
            return tokens
    return None


def _here(spec: ModelSpec, pool: PoolChoice, miss: ModelSizing) -> Iterator[WayOut]:
    """Changes on the same pool, the least first: one that is enough alone, else two together.

    A change that planning would warn about is left out.
    """
    changes = [*_changes(spec, miss)]
    accepted = _rules(spec, pool.tier)
    for count in (1, 2):
        for chosen in combinations(changes, count):
            new_values = {
                key: value for change in chosen for key, value in change.new_values.items()
            }
            changed = _changed(spec, new_values)
            if fitting(changed, pool) is not None and _rules(changed, pool.tier) <= accepted:
                words = " with ".join(change.way.words.removeprefix("use ") for change in chosen)
                yield together(f"use {words}", *(change.way for change in chosen), group="here")
        yield from _siblings(spec, pool)


def _rules(spec: ModelSpec, tier: GpuTier) -> set[str]:
    return {problem.rule for problem in size_model(spec, tier)[1]}


def _changes(spec: ModelSpec, miss: ModelSizing) -> Iterator[_Change]:
    """Engine arguments to try. Planning has already lowered numbers that it derives itself."""
    arguments = spec.arguments
    for argument, fewest in (
        ("max_num_seqs", FEWEST_SEQUENCES),
        ("max_num_batched_tokens", FEWEST_TOKENS),
    ):
        fewer = (arguments.get(argument) or 0) // 2
        while fewer >= fewest:
            yield _change(spec, argument, fewer)
            fewer //= 2
    for utilization in _UTILIZATIONS:
        if utilization > miss.batching.gpu_memory_utilization:
            yield _change(spec, "gpu_memory_utilization", utilization)
    least = vllm_behaviour(spec.release.vllm).fp8_kv_cache_capability
    if "kv_cache_dtype" not in arguments.engine and miss.tier.capability >= least:
        yield _change(spec, "kv_cache_dtype", "fp8")
    tensor = arguments.get("tensor_parallel_size")
    pipeline = arguments.get("pipeline_parallel_size") or 1
    if tensor and tensor * pipeline * 2 <= miss.tier.gpu_count:
        yield _change(spec, "tensor_parallel_size", tensor * 2)


def _change(spec: ModelSpec, argument: str, value: Any) -> _Change:
    way = use(spec.arguments.path_to_set(argument), value)
    return _Change(way=way, new_values={argument: value})


def _changed(spec: ModelSpec, new_values: dict[str, Any]) -> ModelSpec:
    """The spec as if the stack file stated these engine arguments."""
    arguments = dict(spec.arguments.by_argument)
    engine = dict(spec.arguments.engine)
    for argument, value in new_values.items():
        if argument in DECIDED:
            arguments[argument] = StatedArgument(value=value, path=spec.arguments.path)
        else:
            engine[argument] = value
    return replace(spec, arguments=replace(spec.arguments, by_argument=arguments, engine=engine))


def _siblings(spec: ModelSpec, pool: PoolChoice) -> Iterator[WayOut]:
    """Quantized checkpoints of the same model in the catalogue that fit this pool."""
    name = spec.deployment.model
    own = llms().get(name) if name else None
    if own is None or own.quantization is not None:
        return
    for row in llms().values():
        if row.quantization is None or not row.id.startswith(f"{own.id}-"):
            continue
        deployment = spec.deployment.model_copy(update={"model": row.id})
        checkpoint, _ = checkpoint_of(deployment, spec.arguments.path, Path())
        if checkpoint is None:
            continue
        if fitting(replace(spec, deployment=deployment, checkpoint=checkpoint), pool) is not None:
            yield use(f"{spec.arguments.path}.model", row.id, group="here")
