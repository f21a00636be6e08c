"""How one model would run on one GPU tier, or why it cannot.

Brings the single decisions together: precision, context, parallelism, batching and memory. Of
the degrees of tensor parallelism the smallest that fits is taken, so that a node's other GPUs
stay free for others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.catalog import GpuTier, vllm_behaviour
from models.problems import Problem, stops
from models.stack import Defaults, ModelDeployment, Profile
from planning.plan import GIB, MemoryFit, ReleasePlan
from planning.sizing.batching import (
    Batching,
    batching_problems,
    batchings,
    takes_prompts_whole,
)
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.context_length import SHORTEST_TOKENS, STEP_TOKENS, ContextLength
from planning.sizing.memory.adapters import lora_slots
from planning.sizing.memory.draft import draft_of
from planning.sizing.memory.estimate import memory_fit
from planning.sizing.memory.headroom import memory_problems
from planning.sizing.memory.images import stated_images
from planning.sizing.memory.state_cache import state_cache
from planning.sizing.memory.state_limits import manager_problems, state_problems
from planning.sizing.memory.stated_cache import stated_cache_problems
from planning.sizing.memory.uncounted import uncounted_problems
from planning.sizing.memory.vllm_accounting import BLOCK_TOKENS, MemoryInputs, accounting
from planning.sizing.parallelism import parallelism_problems, tensor_parallel_sizes
from planning.sizing.pooling import pools_prompts_whole
from planning.sizing.precision import Precision, choose_precision
from planning.sizing.stated_arguments import StatedArguments


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model entry with everything that its configuration depends on."""

    deployment: ModelDeployment
    checkpoint: Checkpoint
    arguments: StatedArguments
    defaults: Defaults
    release: ReleasePlan
    context: ContextLength

    @property
    def profile(self) -> Profile | None:
        """The model's profile, else the environment's."""
        return self.deployment.profile or self.defaults.profile


@dataclass(frozen=True, kw_only=True)
class ModelSizing:
    """One way to run a model on a tier. `fit` is None if the check is turned off."""

    tier: GpuTier
    tensor_parallel_size: int
    pipeline_parallel_size: int
    precision: Precision
    max_model_len: int
    batching: Batching
    fit: MemoryFit | None

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    @property
    def fits(self) -> bool:
        """Whether memory suffices as far as is known, or is not checked."""
        return self.fit is None or self.fit.may_fit

    @property
    def doubtful(self) -> bool:
        """Whether the estimate of memory is too close to be sure."""
        return self.fit is not None and self.fit.doubtful

    @property
    def certainty_of_sequences(self) -> int:
        """How sure it is that each sequence that may run has a block for its states.

        2: with the estimate's error to spare; 1: by the estimate; 0: within its error; -1: not.
        """
        fit, sequences = self.fit, self.batching.max_num_seqs
        if fit is None or fit.runs(sequences, fit.margin_bytes):
            return _CERTAIN
        if fit.runs(sequences):
            return 1
        return 0 if fit.runs(sequences, -fit.margin_bytes) else -1


_CERTAIN: Final = 2


def size_model(spec: ModelSpec, tier: GpuTier) -> tuple[ModelSizing | None, tuple[Problem, ...]]:
    """The configuration of a model on a tier.

    Without problems it can run. If only memory is missing, a configuration with `fits` False is
    returned without a problem: placement knows the ways out.
    """
    checkpoint, arguments = spec.checkpoint, spec.arguments
    precision, problems = choose_precision(checkpoint, arguments, tier, spec.release)
    problems += tuple(parallelism_problems(checkpoint, arguments, tier))
    if checkpoint.architecture is not None:
        problems += tuple(manager_problems(arguments, checkpoint.architecture, precision.v0_engine))
    if stops(problems):
        return None, problems
    best: ModelSizing | None = None
    for candidate in _candidates(spec, tier, precision):
        # The first without doubt; else the first of those that may fit whose sequences are the
        # surest; else the last, for the message.
        certainty = candidate.certainty_of_sequences
        surer = best is not None and certainty > best.certainty_of_sequences
        if best is None or not best.fits or (candidate.fits and surer):
            best = candidate
        if candidate.fits and certainty == _CERTAIN and not candidate.doubtful:
            best = candidate
            break
    if best is None:
        return None, problems
    whole = _whole_prompts(spec, precision, best.max_model_len)
    problems += tuple(
        batching_problems(arguments, best.max_model_len, precision.v0_engine, whole, best.batching)
    )
    if best.fit is not None:
        problems += tuple(uncounted_problems(arguments, checkpoint))
        problems += tuple(stated_cache_problems(arguments, tier, best.max_model_len, best.fit))
    if best.fit is not None and best.fits:
        problems += tuple(state_problems(arguments, tier, best.batching, best.fit))
        problems += tuple(
            memory_problems(arguments, tier, best.max_model_len, best.batching, best.fit)
        )
    return best, problems


def _candidates(spec: ModelSpec, tier: GpuTier, precision: Precision) -> Iterator[ModelSizing]:
    """Ways to run, best first: the wanted context on few GPUs, then on more, then shorter."""
    arguments = spec.arguments
    pipeline = arguments.get("pipeline_parallel_size") or 1
    stated = arguments.get("tensor_parallel_size")
    if stated:
        degrees: tuple[int, ...] = (stated,)
    elif spec.checkpoint.architecture is None:
        degrees = (1,)
    else:
        sizes = tensor_parallel_sizes(spec.checkpoint, tier)
        degrees = tuple(size for size in sizes if size * pipeline <= tier.gpu_count)
    smallest: ModelSizing | None = None
    for degree in degrees:
        tries = _tries(spec, precision, spec.context.tokens)
        size = (degree, pipeline)
        smallest = _candidate(spec, tier, precision, spec.context.tokens, size, tries[-1])
        if smallest.fits:  # or no larger batch does
            for batching in tries[:-1]:
                yield _candidate(spec, tier, precision, spec.context.tokens, size, batching)
            yield smallest
    if spec.context.may_shorten and spec.checkpoint.architecture is not None:
        sizes_of_replica = [(degree, pipeline) for degree in degrees]
        yield from _shortened(spec, tier, precision, spec.context.tokens, sizes_of_replica)
    if smallest is not None:
        yield smallest  # if nothing fits, report the requested context on all GPUs


def _tries(spec: ModelSpec, precision: Precision, tokens: int) -> tuple[Batching, ...]:
    whole = _whole_prompts(spec, precision, tokens)
    return batchings(spec.profile, spec.arguments, tokens, whole)


def _whole_prompts(spec: ModelSpec, precision: Precision, tokens: int) -> bool:
    if pools_prompts_whole(spec.checkpoint, spec.arguments, v0_engine=precision.v0_engine):
        return True
    obeyed = vllm_behaviour(spec.release.vllm).chunked_prefill_obeyed
    return takes_prompts_whole(
        spec.arguments,
        tokens,
        v0_engine=precision.v0_engine,
        obeyed=obeyed,
        splits_long=precision.splits_long_prompts,
    )


def _shortened(
    spec: ModelSpec, tier: GpuTier, precision: Precision, tokens: int, sizes: list[tuple[int, int]]
) -> list[ModelSizing]:
    """Ways to run with a shorter context than wanted, the longest first."""
    found: list[ModelSizing] = []
    for size in sizes:

        def shorter(tokens: int, size: tuple[int, int] = size) -> ModelSizing:
            # If prompts are taken whole, activations shrink with the context.
            tries = _tries(spec, precision, tokens)
            return _candidate(spec, tier, precision, tokens, size, tries[-1])

        fit = shorter(SHORTEST_TOKENS).fit
        reach = min(fit.longest_context, tokens) if fit else 0
        for length in range(reach // STEP_TOKENS * STEP_TOKENS, SHORTEST_TOKENS - 1, -STEP_TOKENS):
            candidate = shorter(length)
            if candidate.fits:
                found.append(candidate)
            if candidate.fits and not candidate.doubtful:
                break
    return sorted(found, key=lambda candidate: -candidate.max_model_len)


def _candidate(
    spec: ModelSpec,
    tier: GpuTier,
    precision: Precision,
    tokens: int,
    degrees: tuple[int, int],
    batching: Batching,
) -> ModelSizing:
    tensor, pipeline = degrees
    return ModelSizing(
        tier=tier,
        tensor_parallel_size=tensor,
        pipeline_parallel_size=pipeline,
        precision=precision,
        max_model_len=tokens,
        batching=batching,
        fit=_fit(spec, tier, precision, tokens, degrees, batching),
    )


def _fit(
    spec: ModelSpec,
    tier: GpuTier,
    precision: Precision,
    tokens: int,
    degrees: tuple[int, int],
    batching: Batching,
) -> MemoryFit | None:
    """Memory of one GPU; None if it is not known or not to be checked."""
    architecture = spec.checkpoint.architecture
    if not spec.deployment.check_fit or architecture is None or precision.weight_bytes is None:
        return None
    tensor, pipeline = degrees
    engine = spec.arguments.engine
    inputs = MemoryInputs(
        architecture=architecture,
        weight_bytes=precision.weight_bytes,
        packed_weights=_packed(spec.checkpoint),
        offloaded_bytes=int(float(engine.get("cpu_offload_gb") or 0) * GIB),
        value_bytes=precision.value_bytes,
        kv_value_bytes=precision.kv_value_bytes,
        max_model_len=tokens,
        max_num_seqs=batching.max_num_seqs,
        max_num_batched_tokens=batching.max_num_batched_tokens,
        tensor_parallel_size=tensor,
        pipeline_parallel_size=pipeline,
        gpu_memory_utilization=batching.gpu_memory_utilization,
        gpu_memory_gib=tier.gpu_memory_gib,
        compute_capability=tier.compute_capability,
        enforce_eager=batching.enforce_eager,
        accounting=accounting(
            spec.release.vllm,
            precision.v0_engine,
            hybrid_kv_cache=not engine.get("disable_hybrid_kv_cache_manager")
            and not engine.get("disable_sliding_window"),
        ),
        block_tokens=_count(engine, "block_size") or BLOCK_TOKENS,
        kv_cache_bytes=_count(engine, "kv_cache_memory_bytes"),
        kv_cache_blocks=_count(engine, "num_gpu_blocks_override"),
        draft=draft_of(engine, spec.checkpoint),
        images_per_prompt=stated_images(engine),
        state_cache=state_cache(architecture, engine, spec.release.vllm, precision.value_bytes),
        batches_in_flight=_batches_in_flight(engine, spec.release.vllm, pipeline),
        lora=lora_slots(engine),
        pools=spec.checkpoint.task.pools,
    )
    return memory_fit(inputs)


def _batches_in_flight(engine: Mapping[str, Any], vllm: str, pipeline: int) -> int:
    """Steps that vLLM counts as running at the same time: VllmConfig.max_concurrent_batches."""
    facts = vllm_behaviour(vllm)
    if not facts.windows_wait_for_batches:
        return 1
    overlapping = facts.async_scheduling_on_ray and engine.get("async_scheduling") is not False
    return pipeline + 1 if overlapping else pipeline


def _count(engine: Mapping[str, Any], argument: str) -> int | None:
    """A stated count; None without one, also if it has a wrong type, which was reported."""
    value = engine.get(argument)
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return value if is_count else None


def _packed(checkpoint: Checkpoint) -> bool:
    """Whether the weights are 4-bit integers that Marlin repacks."""
    stored = checkpoint.quantization
    return stored is not None and stored.bits <= 4 and stored.method != "mxfp4"
