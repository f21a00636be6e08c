"""In which numbers a model computes: dtype, quantization, KV cache and which vLLM engine.

Each rule is vLLM's own check at engine start, made before a GPU is paid for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.catalog import (
    GpuTier,
    QuantizationMethod,
    RayRelease,
    float16_refused,
    oldest_ray,
    quantization_methods,
    supported_architectures,
    vllm_behaviour,
)
from models.problems import Problem, Severity
from planning.plan import ReleasePlan
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.stated_arguments import StatedArguments

_BFLOAT16_CAPABILITY = (8, 0)  # CUDA C++ programming guide: bfloat16 arithmetic since Ampere
# Methods that quantize 16-bit weights while they load; bits of a linear layer's weight.
_IN_FLIGHT_BITS = {"fp8": 8, "bitsandbytes": 4.5}  # 4 bit and one absmax a block of 64
# Names by which the same checkpoint format goes in `quantization`.
_SAME_FORMAT = {"awq_marlin": "awq", "gptq_marlin": "gptq"}


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What was decided.

    argument: the `quantization` that vLLM is told; None leaves it to the checkpoint.
    shown: how the weights are stored or loaded, for people.
    weight_bytes: bytes of all weights as loaded; None where the checkpoint is not described.
    """

    dtype: str
    argument: str | None
    shown: str | None
    weight_bytes: int | None
    kv_value_bytes: int
    v0_engine: bool


def choose_precision(
    checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier, release: ReleasePlan
) -> tuple[Precision, tuple[Problem, ...]]:
    """Dtype, quantization and engine of a model on one GPU tier."""
    v0_engine = _runs_v0_engine(arguments, tier, release.ray)
    dtype = _dtype(checkpoint, arguments, tier)
    asked = arguments.get("quantization")
    stored = checkpoint.quantization.method if checkpoint.quantization else None
    in_flight = asked if stored is None and asked in _IN_FLIGHT_BITS else None
    # Nothing is known of a checkpoint that is not described: what was asked for is passed on.
    told = asked if checkpoint.architecture is None else in_flight
    problems = [
        *_dtype_problems(dtype, checkpoint, arguments, tier, release),
        *_quantization_problems(asked, checkpoint, dtype, arguments, tier, release),
        *_kv_problems(arguments, tier, release, v0_engine),
        *_architecture_problems(checkpoint, arguments, release),
    ]
    if tier.capability < vllm_behaviour(release.vllm).v1_engine_capability and not v0_engine:
        older = oldest_ray(lambda row: row.supports_v0_engine)
        problems.append(
            Problem(
                path=arguments.path,
                reason=f"runs on {tier.gpu_name} (compute capability {_dotted(tier)}) with vLLM "
                f"{release.vllm}, whose only engine is reported both to work and to fail there",
                remedy=f"Use {f'versions.ray: {older}, or ' if older else ''}a newer GPU",
                rule="old-gpu-new-vllm",
                severity=Severity.WARN,
            )
        )
    return Precision(
        dtype=dtype,
        argument=told,
        shown=stored or told,
        weight_bytes=_weight_bytes(checkpoint, dtype, in_flight),
        kv_value_bytes=_kv_value_bytes(arguments, dtype),
        v0_engine=v0_engine,
    ), tuple(problems)


def _runs_v0_engine(arguments: StatedArguments, tier: GpuTier, ray: RayRelease) -> bool:
    """Whether vLLM falls back to its V0 engine, for the GPU or for an fp8 KV cache."""
    if not ray.supports_v0_engine:
        return False
    facts = vllm_behaviour(ray.vllm)
    least = facts.v1_engine_capability
    if _has_fp8_kv(arguments):
        least = max(least, facts.preferred_fp8_kv_cache_capability)
    return tier.capability < least


def _dotted(tier: GpuTier) -> str:
    return ".".join(str(part) for part in tier.compute_capability)


def _dtype(checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier) -> str:
    asked = arguments.get("dtype")
    if isinstance(asked, str) and asked != "auto":
        return {"half": "float16", "float": "float32"}.get(asked, asked)
    if tier.compute_capability < _BFLOAT16_CAPABILITY:
        return "float16"
    # A checkpoint in float16 stays so: bfloat16 would drop three bits of its mantissa.
    if checkpoint.architecture is not None and checkpoint.architecture.torch_dtype == "float16":
        return "float16"
    return "bfloat16"


def _needs_newer_gpu(dtype: str, tier: GpuTier) -> bool:
    return dtype == "bfloat16" and tier.compute_capability < _BFLOAT16_CAPABILITY


def _dtype_problems(
    dtype: str,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    if _needs_newer_gpu(dtype, tier):
        yield Problem(
            path=arguments.path_of("dtype"),
            value=dtype,
            reason=f"needs compute capability 8.0 and {tier.gpu_name} ({tier.id}) has "
            f"{_dotted(tier)}",
            remedy="Leave dtype out (float16 is chosen there), or use an L4 or newer",
            rule="bfloat16-capability",
        )
    model_type = checkpoint.architecture.model_type if checkpoint.architecture else None
    if dtype == "float16" and model_type in float16_refused(release.vllm):
        on_purpose = arguments.get("dtype") is not None
        yield Problem(
            path=arguments.path_of("dtype"),
            value=dtype if on_purpose else checkpoint.source,
            reason=("cannot be used" if on_purpose else f"would run in float16 on {tier.id}")
            + f": vLLM refuses it for {model_type} models, whose activations overflow in float16",
            remedy="Use bfloat16 on an L4 or newer GPU",
            rule="float16-refused",
        )


def _quantization_problems(
    asked: object,
    checkpoint: Checkpoint,
    dtype: str,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    methods = quantization_methods(release.vllm)
    stored = checkpoint.quantization.method if checkpoint.quantization else None
    path = arguments.path_of("quantization")
    if asked is not None and asked not in methods:
        yield Problem(
            path=path,
            value=asked,
            reason=f"is not a quantization method of vLLM {release.vllm}",
            remedy=f"Leave it out: the checkpoint says that its weights are {stored}"
            if stored
            else f"Use {_in_flight_methods(methods, tier)}, which quantize while they load, "
            "or serve a quantized checkpoint",
            rule="quantization-unknown",
        )
        return
    described = checkpoint.architecture is not None
    if described and asked is not None and stored is None and asked not in _IN_FLIGHT_BITS:
        yield Problem(
            path=path,
            value=asked,
            reason="needs a checkpoint that was quantized that way, and this one holds 16-bit "
            "weights",
            remedy="Serve a quantized checkpoint of the model (its name often ends in "
            f"-{asked}), or use {_in_flight_methods(methods, tier)}",
            rule="quantization-checkpoint",
        )
        return
    if asked is not None and stored is not None:
        yield from _beside_checkpoint(str(asked), stored, path, tier)
    if stored is not None and stored not in methods:
        if not _is_known_architecture(checkpoint, release):
            return  # a model too new for this vLLM: that says it all
        yield Problem(
            path=arguments.path,
            value=stored,
            reason=f"is how the checkpoint's weights are quantized, which vLLM {release.vllm} does "
            "not know",
            remedy="Serve an AWQ, GPTQ or fp8 checkpoint of the model",
            rule="quantization-unknown",
        )
        return
    method = methods.get(stored or str(asked))
    if method is None:
        return
    scheme = checkpoint.quantization.scheme if checkpoint.quantization else None
    least = method.min_capability or 0
    if method.name == "compressed-tensors" and scheme is not None:
        schemes = vllm_behaviour(release.vllm).compressed_tensors_capability
        least = max(least, schemes.get(scheme, 0))
    if least > tier.capability:
        yield Problem(
            path=path,
            value=method.name,
            reason=f"needs compute capability {least / 10:.1f} and "
            f"{tier.gpu_name} ({tier.id}) has {_dotted(tier)}",
            remedy="Use a newer GPU, or an AWQ checkpoint of the model",
            rule="quantization-capability",
        )
    faster = f"{method.name}_marlin"
    kernel = methods.get(faster)
    marlin = kernel is not None and (kernel.min_capability or 0) <= tier.capability
    if method.activation_dtypes is not None and dtype not in method.activation_dtypes:
        dtypes = (kernel.activation_dtypes if marlin and kernel else None) or ()
        if dtype in dtypes or _needs_newer_gpu(dtype, tier):
            return
        yield Problem(
            path=arguments.path_of("dtype"),
            value=dtype,
            reason=f"is not a dtype of {method.name} on {tier.id}, which computes in "
            f"{' or '.join(dtypes or method.activation_dtypes)}",
            remedy="Leave dtype out",
            rule="quantization-dtype",
        )


def _in_flight_methods(methods: Mapping[str, QuantizationMethod], tier: GpuTier) -> str:
    """The methods that need no quantized checkpoint and run on this tier."""
    return " or ".join(
        name
        for name in _IN_FLIGHT_BITS
        if name in methods and (methods[name].min_capability or 0) <= tier.capability
    )


def _beside_checkpoint(asked: str, stored: str, path: str, tier: GpuTier) -> Iterable[Problem]:
    if _SAME_FORMAT.get(asked, asked) != stored:
        yield Problem(
            path=path,
            value=asked,
            reason=f"contradicts the checkpoint, whose weights are {stored}",
            remedy="Leave quantization out: vLLM reads it from the checkpoint",
            rule="quantization-checkpoint",
        )
    elif asked in ("awq", "gptq") and tier.compute_capability >= _BFLOAT16_CAPABILITY:
        yield Problem(
            path=path,
            value=asked,
            reason=f"would keep vLLM from its faster Marlin kernels on {tier.id}, so it is not "
            "passed on",
            remedy="Leave quantization out: vLLM reads it from the checkpoint",
            rule="quantization-marlin",
            severity=Severity.WARN,
        )


def _kv_problems(
    arguments: StatedArguments, tier: GpuTier, release: ReleasePlan, v0_engine: bool
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
            reason=f"is not on the V1 engine for {tier.gpu_name} in this vLLM, so the model runs "
            "on the older V0 engine, without prefix caching",
            remedy=f"Leave it out, or use an H100{f' or Ray {newer} on an L4' if newer else ''}",
            rule="fp8-kv-v0",
            severity=Severity.WARN,
        )
    elif not v0_engine and tier.capability < facts.fp8_kv_cache_capability:
        yield Problem(
            path=path,
            value=kv_dtype,
            reason=f"needs compute capability {facts.fp8_kv_cache_capability / 10:.1f} on the V1 "
            f"engine and {tier.gpu_name} "
            f"({tier.id}) has {_dotted(tier)}",
            remedy="Leave kv_cache_dtype out, or use an L4 or H100",
            rule="fp8-kv-capability",
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
    name = checkpoint.architecture.architecture if checkpoint.architecture else None
    if not _is_known_architecture(checkpoint, release):
        yield Problem(
            path=arguments.path,
            value=checkpoint.source,
            reason=f"is a {name}, which vLLM {release.vllm} (Ray {release.ray.ray}) does not know",
            remedy="Choose a newer versions.ray, or another model",
            rule="architecture-unsupported",
        )


def _is_known_architecture(checkpoint: Checkpoint, release: ReleasePlan) -> bool:
    name = checkpoint.architecture.architecture if checkpoint.architecture else None
    return name is None or name in supported_architectures(release.vllm)


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
    return embedding + int((total - embedding) * _IN_FLIGHT_BITS[in_flight] / 16)


def _kv_value_bytes(arguments: StatedArguments, dtype: str) -> int:
    if _has_fp8_kv(arguments):
        return 1
    return 4 if dtype == "float32" else 2
