"""In which numbers a model computes: dtype, quantization, KV cache; and on which vLLM engine.

Each rule is vLLM's own check at engine start, made before a GPU is paid for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from models.architecture import AttentionKind
from models.catalog import (
    GpuTier,
    RayRelease,
    architectures_of_one_window,
    float16_refused,
    oldest_ray,
    quantization_methods,
    quantize_while_loading,
    ray_releases,
    release_number,
    suitable_rays,
    transformers_architectures,
    vllm_behaviour,
)
from models.problems import Problem, Severity
from models.values_meant import ways_to_release, ways_to_releases
from models.ways_out import leave_out, outside, use
from planning.plan import ReleasePlan
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.quantization import (
    activation_dtypes,
    in_flight_bits,
    passed_on,
    quantization_problems,
)
from planning.sizing.stated_arguments import StatedArguments

# Of the values of kv_cache_dtype, FlashInferBackend.supported_kv_cache_dtypes.
_FLASHINFER_FP8_CAPABILITY: Final = 80  # its kernels for 7.5 do not run (flashinfer#3620)
_FLASHINFER_FP8: Final = frozenset({"fp8", "fp8_e4m3", "fp8_e5m2"})
_V1_HASH: Final = "sha256"  # of prefix_caching_hash_algo: V0 has its own


@dataclass(frozen=True, kw_only=True)
class Precision:
    """In which numbers a model computes, and on which engine.

    argument: the `quantization` that vLLM is given; None leaves it to the checkpoint.
    shown: how the weights are stored or loaded, for people.
    weight_bytes: bytes of all weights as loaded; None if the checkpoint is not described.
    value_bytes, kv_value_bytes: bytes of one value that is computed with, and of one in the cache.
    asks_prefix_caching: whether V0, which has it off, can be asked for it; V1 has it on.
    splits_long_prompts: whether V0 splits prompts of contexts above 32,768 tokens.
    """

    dtype: str
    argument: str | None
    shown: str | None
    weight_bytes: int | None
    value_bytes: int
    kv_value_bytes: int
    v0_engine: bool
    asks_prefix_caching: bool
    splits_long_prompts: bool


def choose_precision(
    checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier, release: ReleasePlan
) -> tuple[Precision, tuple[Problem, ...]]:
    """Dtype, quantization and engine of a model on one GPU tier."""
    v0_engine = _runs_v0_engine(checkpoint, arguments, tier, release)
    dtype = _dtype(checkpoint, arguments, tier, release)
    argument = passed_on(checkpoint, arguments, tier, release.vllm)
    stored = checkpoint.quantization.method if checkpoint.quantization else None
    in_flight = argument if argument in quantize_while_loading(release.vllm) else None
    of_quantization = tuple(quantization_problems(dtype, checkpoint, arguments, tier, release))
    too_old = any(problem.rule == "quantization-capability" for problem in of_quantization)
    problems = [
        *_dtype_problems(dtype, checkpoint, arguments, tier, release, too_old=too_old),
        *of_quantization,
        *_kv_problems(checkpoint, arguments, tier, release, v0_engine),
        *_architecture_problems(checkpoint, arguments, release),
        *_engine_problems(arguments, tier, release),
        *_window_problems(checkpoint, arguments, release, v0_engine),
        *_hash_problems(arguments, release, v0_engine),
        *_partial_window_problems(checkpoint, arguments, release),
    ]
    if tier.capability < vllm_behaviour(release.vllm).v1_engine_capability and not v0_engine:
        older = oldest_ray(lambda row: row.supports_v0_engine)
        problems.append(
            Problem(
                path=arguments.path,
                reason=f"runs on {tier.gpu_name} (compute capability {tier.capability / 10:.1f}) "
                f"with vLLM {release.vllm}, whose attention kernels there are "
                f"{_kernels(tier, release.vllm)}: some models are reported to run on them, others "
                "to fail for want of shared memory",
                remedy="Use a newer GPU",
                rule="old-gpu-new-vllm",
                severity=Severity.WARN,
                candidates=()
                if older is None
                else (
                    use("ray-llm:versions.ray", older, f"use versions.ray: {older}"),
                    outside("use a newer GPU"),
                ),
            )
        )
    return Precision(
        dtype=dtype,
        argument=argument,
        shown=stored or argument,
        weight_bytes=_weight_bytes(checkpoint, dtype, in_flight),
        value_bytes=_value_bytes(dtype),
        kv_value_bytes=1 if _has_fp8_kv(arguments) else _value_bytes(dtype),
        v0_engine=v0_engine,
        asks_prefix_caching=v0_engine
        and not _keeps_states(checkpoint)
        and not checkpoint.task.pools
        and arguments.engine.get("prefix_caching_hash_algo") != _V1_HASH
        and _v0_window(checkpoint, arguments, release.vllm) is _Window.NONE,
        splits_long_prompts=_splits_long_prompts(checkpoint, arguments, release.vllm),
    ), tuple(problems)


def _kernels(tier: GpuTier, vllm: str) -> str:
    """The attention kernels of an engine on a GPU that FlashAttention does not serve."""
    if tier.capability < vllm_behaviour(vllm).flashinfer_capability:
        return "Triton's alone"
    return "FlashInfer's or Triton's"


def _runs_v0_engine(
    checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier, release: ReleasePlan
) -> bool:
    """Whether vLLM falls back to its V0 engine: for the GPU, the model or an argument."""
    if not release.ray.supports_v0_engine:
        return False
    facts = vllm_behaviour(release.ray.vllm)
    least = facts.v1_engine_capability
    if _has_fp8_kv(arguments):
        least = max(least, facts.preferred_fp8_kv_cache_capability)
    name = checkpoint.served_class
    moved = any(True for _ in _moving_arguments(arguments, release.ray.vllm))
    states = facts.v0_states and _keeps_states(checkpoint)
    return tier.capability < least or name in facts.v0_architectures or states or moved


def _keeps_states(checkpoint: Checkpoint) -> bool:
    """Whether layers keep a state instead of a cache; V0 caches no prefix of theirs."""
    architecture = checkpoint.architecture
    return architecture is not None and architecture.state_layers is not None


def _moving_arguments(arguments: StatedArguments, vllm: str) -> Iterator[str]:
    """The stated arguments that move a release with both engines to V0."""
    facts, engine = vllm_behaviour(vllm), arguments.engine
    for name, staying in facts.v1_argument_values.items():
        if name in engine and engine[name] not in staying:
            yield name
    for name, moving in facts.v0_argument_values.items():
        if engine.get(name) in moving:
            yield name


def _engine_problems(
    arguments: StatedArguments, tier: GpuTier, release: ReleasePlan
) -> Iterable[Problem]:
    """Arguments that change the engine without a word, on a GPU that has the newer one."""
    facts = vllm_behaviour(release.ray.vllm)
    if not release.ray.supports_v0_engine or tier.capability < facts.v1_engine_capability:
        return
    for name in _moving_arguments(arguments, release.ray.vllm):
        path = f"{arguments.path}.engine.{name}"
        yield Problem(
            path=path,
            value=arguments.engine[name],
            reason=f"moves vLLM {release.vllm} to its older V0 engine, which takes prompts whole "
            "and is slower",
            remedy="Leave it out",
            rule="argument-v0",
            severity=Severity.WARN,
            candidates=(
                leave_out(path, "leave it out"),
                *ways_to_releases(
                    (
                        row.ray
                        for row in ray_releases().values()
                        if not row.supports_v0_engine
                        and release_number(row.ray) > release_number(release.ray.ray)
                    ),
                    ", which has the V1 engine only",
                ),
            ),
        )


class _Window(Enum):
    """What V0's prefix caching meets in the model's config.json."""

    NONE = "no window"
    POSSIBLE = "perhaps a window that no layer reaches"
    CERTAIN = "a window"


def _v0_window(checkpoint: Checkpoint, arguments: StatedArguments, vllm: str) -> _Window:
    architecture, facts = checkpoint.architecture, vllm_behaviour(vllm)
    if arguments.engine.get("disable_sliding_window") is True:
        return _Window.NONE
    if architecture is None:
        return _Window.POSSIBLE
    if architecture.model_type in facts.v0_interleaved_windows:
        return _Window.NONE
    if architecture.sliding_window is not None or architecture.states_window:
        return _Window.CERTAIN
    unknown = architecture.states_window is None
    possible = unknown and architecture.model_type in facts.stated_windows
    return _Window.POSSIBLE if possible else _Window.NONE


def _splits_long_prompts(checkpoint: Checkpoint, arguments: StatedArguments, vllm: str) -> bool:
    """EngineArgs._set_default_args_v0: not for images, MLA, windows, LoRA or speculation."""
    architecture, engine = checkpoint.architecture, arguments.engine
    if architecture is None:
        return True
    return not (
        architecture.multimodal
        or architecture.attention.kind is AttentionKind.MLA
        or _v0_window(checkpoint, arguments, vllm) is not _Window.NONE
        or engine.get("enable_lora")
        or engine.get("speculative_config")
    )


def _window_problems(
    checkpoint: Checkpoint, arguments: StatedArguments, release: ReleasePlan, v0_engine: bool
) -> Iterable[Problem]:
    """https://github.com/vllm-project/vllm/issues/3781: refused by V0, allowed by V1 (#13069)."""
    if not v0_engine or arguments.engine.get("enable_prefix_caching") is not True:
        return
    window = _v0_window(checkpoint, arguments, release.vllm)
    if window is not _Window.NONE and checkpoint.architecture is not None:
        certain = window is _Window.CERTAIN
        path = f"{arguments.path}.engine.enable_prefix_caching"
        yield Problem(
            path=path,
            value=True,
            reason=f"{'is' if certain else 'may be'} refused by the V0 engine, because "
            f"{checkpoint.source} {'has' if certain else 'may have'} a sliding window in its "
            "config.json",
            remedy="Leave it out, or use an L4 or newer GPU with the V1 engine",
            rule="prefix-caching-window",
            severity=Severity.STOP if certain else Severity.WARN,
            candidates=(leave_out(path, "leave it out"),),
        )


def _hash_problems(
    arguments: StatedArguments, release: ReleasePlan, v0_engine: bool
) -> Iterable[Problem]:
    """EngineArgs._set_default_args_v0: V0 refuses the algorithm if it caches prefixes."""
    engine = arguments.engine
    asked = engine.get("enable_prefix_caching")
    if not v0_engine or engine.get("prefix_caching_hash_algo") != _V1_HASH or asked is False:
        return
    path = f"{arguments.path}.engine.prefix_caching_hash_algo"
    yield Problem(
        path=path,
        value=_V1_HASH,
        reason=f"is refused by the V0 engine of vLLM {release.vllm}, which this GPU or an engine "
        "argument needs"
        if asked
        else f"keeps prefix caching off, because the V0 engine of vLLM {release.vllm}, which this "
        "GPU or an engine argument needs, lacks it",
        remedy="Leave it out",
        rule="prefix-caching-hash",
        severity=Severity.STOP if asked else Severity.WARN,
        candidates=(leave_out(path, "leave it out: the engine's own is used"),),
    )


def _partial_window_problems(
    checkpoint: Checkpoint, arguments: StatedArguments, release: ReleasePlan
) -> Iterable[Problem]:
    """Qwen2Model asserts that max_window_layers is the number of layers, so that none slides."""
    architecture = checkpoint.architecture
    if (
        architecture is None
        or architecture.sliding_window is None
        or architecture.architecture not in architectures_of_one_window(release.vllm)
    ):
        return
    yield Problem(
        path=arguments.path,
        value=checkpoint.source,
        reason=f"uses a sliding window in {architecture.sliding_window_layers} of its "
        f"{architecture.num_hidden_layers} layers, which vLLM {release.vllm} refuses for a "
        f"{architecture.architecture}",
        remedy="Choose another model",
        rule="window-of-some-layers",
        candidates=(outside("choose another model, or one whose use_sliding_window is false"),),
    )


def _dtype(
    checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier, release: ReleasePlan
) -> str:
    asked = arguments.get("dtype")
    if isinstance(asked, str) and asked != "auto":
        return {"half": "float16", "float": "float32"}.get(asked, asked)
    if not tier.has_bfloat16:
        return "float16"
    # A checkpoint in float16 stays so: bfloat16 would drop three bits of its mantissa.
    if checkpoint.architecture is not None and checkpoint.architecture.torch_dtype == "float16":
        return "float16"
    if _in_float16_for_pooling(checkpoint, release):
        return "float16"
    dtypes = activation_dtypes(checkpoint, arguments, tier, release.vllm)
    return "float16" if dtypes and "bfloat16" not in dtypes else "bfloat16"


def _in_float16_for_pooling(checkpoint: Checkpoint, release: ReleasePlan) -> bool:
    """A float32 checkpoint that pools keeps more of its mantissa: _resolve_auto_dtype in vLLM."""
    architecture = checkpoint.architecture
    return (
        checkpoint.task.pools
        and architecture is not None
        and architecture.torch_dtype == "float32"
        and architecture.model_type not in float16_refused(release.vllm)
    )


def _dtype_problems(
    dtype: str,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
    *,
    too_old: bool,
) -> Iterable[Problem]:
    """too_old: whether it is said already that the GPU is too old for the quantization."""
    dtypes = activation_dtypes(checkpoint, arguments, tier, release.vllm)
    float16_will_do = dtypes is None or "float16" in dtypes
    if dtype == "bfloat16" and not tier.has_bfloat16:
        # A quantization that computes in bfloat16 alone says itself that the GPU is too old for it.
        if too_old and not float16_will_do:
            return
        yield Problem(
            path=arguments.path_of("dtype"),
            value=dtype,
            reason=f"needs compute capability 8.0 and {tier.gpu_name} ({tier.id}) has "
            f"{tier.capability / 10:.1f}",
            remedy="Use an L4 or a newer GPU",
            rule="bfloat16-capability",
            candidates=(
                leave_out(arguments.path_of("dtype"), "leave dtype out (float16 is chosen there)"),
            )
            if float16_will_do
            else (),
        )
    model_type = checkpoint.architecture.model_type if checkpoint.architecture else None
    if dtype == "float16" and model_type in float16_refused(release.vllm):
        on_purpose = arguments.get("dtype") is not None
        yield Problem(
            path=arguments.path_of("dtype"),
            value=dtype if on_purpose else checkpoint.source,
            reason=("cannot be used" if on_purpose else f"would run in float16 on {tier.id}")
            + f": vLLM refuses it for {model_type} models, whose activations overflow in float16",
            remedy="Use bfloat16 on an L4 or a newer GPU",
            rule="float16-refused",
            candidates=(
                *(
                    (leave_out(arguments.path_of("dtype"), "leave dtype out"),)
                    if on_purpose
                    else ()
                ),
                use(
                    arguments.path_to_set("dtype"),
                    "float32",
                    "use dtype: float32, which takes twice the memory",
                ),
            ),
        )


def _kv_problems(
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
    v0_engine: bool,
) -> Iterable[Problem]:
    if not _has_fp8_kv(arguments):
        return
    path = f"{arguments.path}.engine.kv_cache_dtype"
    kv_dtype = arguments.engine["kv_cache_dtype"]
    facts = vllm_behaviour(release.vllm)
    if v0_engine and tier.capability >= facts.v1_engine_capability:
        newer = oldest_ray(_has_fp8_kv_on_v1)
        yield Problem(
            path=path,
            value=kv_dtype,
            reason=f"is not supported by the V1 engine on {tier.gpu_name} in this vLLM, so the "
            "model runs on the older V0 engine",
            remedy="Use an H100",
            rule="fp8-kv-v0",
            severity=Severity.WARN,
            candidates=(
                leave_out(path, "leave it out"),
                *ways_to_release(newer),
            ),
        )
    elif not v0_engine and tier.capability < facts.fp8_kv_cache_capability:
        if _flashinfer_reads_fp8(checkpoint, arguments, tier, release.vllm):
            yield Problem(
                path=path,
                value=kv_dtype,
                reason=f"is read on {tier.gpu_name} ({tier.id}) by FlashInfer's kernels alone, "
                "which were not tried there",
                remedy="Use an L4 or H100",
                rule="fp8-kv-capability",
                severity=Severity.WARN,
                candidates=(leave_out(path, "leave kv_cache_dtype out"),),
            )
            return
        yield Problem(
            path=path,
            value=kv_dtype,
            reason=f"needs compute capability {facts.fp8_kv_cache_capability / 10:.1f} on the V1 "
            f"engine and {tier.gpu_name} "
            f"({tier.id}) has {tier.capability / 10:.1f}",
            remedy="Use an L4 or H100",
            rule="fp8-kv-capability",
            candidates=(leave_out(path, "leave kv_cache_dtype out"),),
        )


def _flashinfer_reads_fp8(
    checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier, vllm: str
) -> bool:
    """Whether vLLM can choose FlashInfer for the cache; Triton, which is left, refuses it."""
    architecture, facts = checkpoint.architecture, vllm_behaviour(vllm)
    return (
        architecture is not None
        and tier.capability >= _FLASHINFER_FP8_CAPABILITY
        and arguments.engine.get("kv_cache_dtype") in _FLASHINFER_FP8
        and architecture.attention.kind is not AttentionKind.MLA
        and architecture.head_dim in facts.flashinfer_fp8_heads
        and architecture.model_type not in facts.triton_attention_models
    )


def _has_fp8_kv_on_v1(ray: RayRelease) -> bool:
    """Whether an fp8 KV cache runs on the V1 engine wherever the GPU has fp8, as an L4 does."""
    facts = vllm_behaviour(ray.vllm)
    return facts.preferred_fp8_kv_cache_capability <= facts.fp8_kv_cache_capability


def _has_fp8_kv(arguments: StatedArguments) -> bool:
    kv_dtype = arguments.engine.get("kv_cache_dtype")
    return isinstance(kv_dtype, str) and kv_dtype.startswith("fp8")


def _architecture_problems(
    checkpoint: Checkpoint, arguments: StatedArguments, release: ReleasePlan
) -> Iterable[Problem]:
    name = checkpoint.served_class
    if checkpoint.is_known_to(release.vllm):
        return
    stored = checkpoint.quantization
    loads = stored is None or stored.method in quantization_methods(release.vllm)
    if loads and name in transformers_architectures(release.vllm):
        yield Problem(
            path=arguments.path,
            value=checkpoint.source,
            reason=f"is a {name}, which vLLM {release.vllm} (Ray {release.ray.ray}) runs by the "
            "slower code of transformers, if at all: nobody tests it there",
            remedy="Choose a model of vLLM's own registry",
            rule="architecture-transformers",
            severity=Severity.WARN,
            candidates=(
                *ways_to_releases(
                    row.ray for row in ray_releases().values() if checkpoint.is_known_to(row.vllm)
                ),
                outside("choose a model of vLLM's own registry"),
            ),
        )
    else:
        yield Problem(
            path=arguments.path,
            value=checkpoint.source,
            reason=f"is a {name}, which vLLM {release.vllm} (Ray {release.ray.ray}) does not know",
            remedy="Choose another model",
            rule="architecture-unsupported",
            candidates=ways_to_releases(
                suitable_rays(lambda row: checkpoint.is_known_to(row.vllm))
            ),
        )


def _weight_bytes(checkpoint: Checkpoint, dtype: str, in_flight: str | None) -> int | None:
    if checkpoint.weight_bytes is None or checkpoint.architecture is None:
        return checkpoint.weight_bytes
    total = checkpoint.weight_bytes
    if checkpoint.quantization is not None:
        return total
    if dtype == "float32":
        return total * 2
    if in_flight is None:
        return total
    architecture = checkpoint.architecture
    tables = 1 if architecture.tie_word_embeddings else 2
    embedding = min(total, tables * architecture.vocab_size * architecture.hidden_size * 2)
    return embedding + int((total - embedding) * in_flight_bits(in_flight) / 16)


def _value_bytes(dtype: str) -> int:
    return 4 if dtype == "float32" else 2
