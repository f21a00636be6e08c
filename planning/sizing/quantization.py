"""Whether vLLM can run a model's quantization on a GPU tier.

The format of the weights is a fact of the checkpoint; a stack can only ask vLLM to quantize 16-bit
weights while it loads them, or for another of the methods that load the format. Each check is
vLLM's own at engine start.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from models.architecture import Quantization
from models.catalog import (
    GpuTier,
    QuantizationMethod,
    RayRelease,
    compressed_tensors_schemes,
    modelopt_algorithms,
    modelopt_file_algorithms,
    nearest_ray,
    oldest_ray,
    quantization_files,
    quantization_methods,
    quantize_while_loading,
    weight_limits,
)
from models.problems import Problem, Severity
from models.values_meant import ways_to_release
from models.ways_out import WayOut, leave_out, outside, use
from planning.plan import ReleasePlan
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.loading_method import accepts, loading_method
from planning.sizing.stated_arguments import StatedArguments

# Bits of a linear layer's weight that a method makes while it loads 16-bit weights. The methods
# themselves are facts of the release; one that is not here counts as 16 bits.
IN_FLIGHT_BITS: Final[Mapping[str, float]] = {
    "fp8": 8,
    "bitsandbytes": 4.5,  # 4 bits, and an absmax for each block of 64
    "fp8_per_tensor": 8,
    "fp8_per_channel": 8,
    "fp8_per_block": 8,
    "int8_per_channel_weight_only": 8,
    "mxfp8": 8.25,  # 8 bits, and a scale of 8 bits for each block of 32
    "nvfp4_per_token": 4.5,  # 4 bits, and a scale of 8 bits for each block of 16
    "rtn": 8,
}
_UNQUANTIZED_BITS: Final = 16
# The scheme classes of compressed-tensors for a checkpoint's `format`, the way its weights are
# packed. The easiest one counts: vLLM falls back to it. CompressedTensorsConfig in vLLM,
# _get_scheme_from_parts.
_SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {
    "pack-quantized": ("CompressedTensorsWNA16",),
    "marlin-24": ("CompressedTensorsW4A16Sparse24",),
    "float-quantized": ("CompressedTensorsW8A16Fp8",),
    "naive-quantized": ("CompressedTensorsW8A16Fp8",),
    "int-quantized": ("CompressedTensorsW8A8Int8",),
    "nvfp4-pack-quantized": ("CompressedTensorsW4A16Fp4", "CompressedTensorsW4A4Fp4"),
    "mxfp4-pack-quantized": ("CompressedTensorsW4A16Mxfp4", "CompressedTensorsW4A4Mxfp4"),
    "mxfp8-quantized": ("CompressedTensorsW8A8Mxfp8",),
}
_MODELOPT: Final = "modelopt"
_RULE_UNKNOWN: Final = "quantization-unknown"


def in_flight_bits(method: str) -> float:
    """Bits of a linear layer's weight after `method` quantized it while loading."""
    return IN_FLIGHT_BITS.get(method, _UNQUANTIZED_BITS)


def asked_quantization(arguments: StatedArguments) -> str | None:
    """The stated `quantization` in lower case, as vLLM reads it."""
    asked = arguments.get("quantization")
    return str(asked).lower() if asked is not None else None


def passed_on(
    checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier, vllm: str
) -> str | None:
    """The `quantization` that vLLM is given; None leaves it to the checkpoint.

    A method is passed on where it decides something: over 16-bit weights, over a file that vLLM
    reads for it alone, or instead of the method that vLLM would choose.
    """
    asked, stored = asked_quantization(arguments), checkpoint.quantization
    if asked is None or checkpoint.architecture is None or stored is None or stored.assumed:
        return asked
    if _file_unread(stored, vllm):
        return asked
    chosen = loading_method(checkpoint, None, tier, vllm)
    taken = loading_method(checkpoint, asked, tier, vllm)
    return asked if taken != chosen and asked != stored.method else None


def activation_dtypes(
    checkpoint: Checkpoint, arguments: StatedArguments, tier: GpuTier, vllm: str
) -> tuple[str, ...] | None:
    """The dtypes that the loading method computes in, None if any."""
    asked = passed_on(checkpoint, arguments, tier, vllm)
    method = quantization_methods(vllm).get(loading_method(checkpoint, asked, tier, vllm) or "")
    return method.activation_dtypes if method else None


def quantization_problems(
    dtype: str,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    """What vLLM would refuse in a stated quantization, or in that of the checkpoint."""
    methods = quantization_methods(release.vllm)
    asked, stored = asked_quantization(arguments), checkpoint.quantization
    if asked is not None:
        refused = tuple(_refused(asked, checkpoint, arguments, tier, release))
        if refused:
            yield from refused
            return
        if stored is not None:
            yield from _contradiction(asked, checkpoint, arguments, tier, release)
    if stored is not None and checkpoint.is_known_to(release.vllm):  # else it is too new: reported
        unknown = tuple(_unknown(stored, checkpoint, asked, arguments, tier, release))
        if unknown:
            yield from unknown
            return
    given = passed_on(checkpoint, arguments, tier, release.vllm)
    method = methods.get(loading_method(checkpoint, given, tier, release.vllm) or "")
    if method is not None:
        too_old = tuple(_capability_problems(method, checkpoint, arguments, tier, release))
        yield from too_old
        # A dtype that only follows from a GPU which the method does not run on is no second fault.
        if not too_old or arguments.get("dtype") not in (None, "auto"):
            yield from _dtype_problems(method, dtype, checkpoint, arguments, tier)


def _refused(
    asked: str,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    """A stated method that vLLM does not have, or that 16-bit weights cannot be loaded with."""
    path = arguments.path_of("quantization")
    stored = checkpoint.quantization
    if asked not in quantization_methods(release.vllm):
        other_name = stored is not None and asked != stored.method
        if other_name and accepts(checkpoint, asked, release.vllm):
            return
        yield Problem(
            path=path,
            value=arguments.get("quantization"),
            reason=f"is not a quantization method of vLLM {release.vllm}",
            remedy="Leave it out"
            if stored
            else "Leave it out, or serve a quantized checkpoint of the model",
            rule=_RULE_UNKNOWN,
            candidates=(
                leave_out(
                    path, f"leave it out: the checkpoint says that its weights are {stored.method}"
                ),
            )
            if stored
            else _without_checkpoint(path, tier, release),
        )
    elif (
        checkpoint.architecture is not None
        and stored is None
        and asked not in quantize_while_loading(release.vllm)
        and not _may_stand_in_a_file(asked, checkpoint, release)
    ):
        yield Problem(
            path=path,
            value=arguments.get("quantization"),
            reason="needs a checkpoint that was quantized that way, and this one holds 16-bit "
            "weights",
            remedy=f"Serve a quantized checkpoint of the model; its name often ends in -{asked}",
            rule="quantization-checkpoint",
            candidates=(
                *_without_checkpoint(path, tier, release),
                outside(f"serve a quantized checkpoint (its name often ends in -{asked})"),
            ),
        )


def _without_checkpoint(path: str, tier: GpuTier, release: ReleasePlan) -> Iterable[WayOut]:
    """The methods that quantize while they load on this tier, and no quantization."""
    for name in _in_flight(tier, release):
        yield use(path, name, f"use {name}, which quantizes while it loads", "in flight")
    yield leave_out(path, "leave quantization out")


def _read_from_checkpoint(path: str) -> WayOut:
    return leave_out(path, "leave quantization out: vLLM reads it from the checkpoint")


def _may_stand_in_a_file(asked: str, checkpoint: Checkpoint, release: ReleasePlan) -> bool:
    """Whether the method finds what config.json does not say in a file of its own beside it.

    Not if the weights are as large as 16-bit ones: then there is nothing to find.
    """
    return asked in quantization_files(release.vllm) and not checkpoint.holds_16_bit_weights


def _ways_to_quantize(tier: GpuTier, release: ReleasePlan) -> str:
    names = " or ".join(_in_flight(tier, release))
    if not names:
        return "Serve a quantized checkpoint of the model"
    return f"Use {names}, which quantize while they load, or serve a quantized checkpoint"


def _in_flight(tier: GpuTier, release: ReleasePlan) -> list[str]:
    """Two methods that need no quantized checkpoint and run on this tier, at most."""
    methods, able = quantization_methods(release.vllm), quantize_while_loading(release.vllm)
    names = [
        name
        for name in IN_FLIGHT_BITS
        if name in able
        and name in methods
        and (methods[name].min_capability or 0) <= tier.capability
    ]
    # bitsandbytes is no dependency of vLLM: an image may lack it.
    without = [name for name in names if name != "bitsandbytes"]
    return (without or names)[:2]


def _contradiction(
    asked: str,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    path = arguments.path_of("quantization")
    stored = checkpoint.quantization
    if stored is None:
        return
    chosen = loading_method(checkpoint, None, tier, release.vllm)
    if not accepts(checkpoint, asked, release.vllm):
        yield Problem(
            path=path,
            value=arguments.get("quantization"),
            reason=f"contradicts the checkpoint, whose weights are {stored.method}",
            remedy="Leave quantization out: vLLM reads it from the checkpoint",
            rule="quantization-checkpoint",
            candidates=(_read_from_checkpoint(path),),
        )
    elif asked == stored.method and loading_method(checkpoint, asked, tier, release.vllm) != chosen:
        yield Problem(
            path=path,
            value=asked,
            reason=f"would keep vLLM from its faster Marlin kernels on {tier.id}, so it is not "
            "passed on",
            remedy="Leave quantization out: vLLM reads it from the checkpoint",
            rule="quantization-marlin",
            severity=Severity.WARN,
            candidates=(_read_from_checkpoint(path),),
        )


def _unknown(
    stored: Quantization,
    checkpoint: Checkpoint,
    asked: str | None,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    """A checkpoint whose method, or whose variant of it, the release does not load."""
    vllm = release.vllm
    if stored.method.startswith(_MODELOPT):
        algorithm = stored.scheme or ""
        if not _loads_modelopt(stored, vllm):
            newer = oldest_ray(lambda row: _loads_modelopt(stored, row.vllm))
            yield Problem(
                path=arguments.path,
                value=algorithm,
                reason=f"is how ModelOpt quantized the checkpoint's weights, which vLLM {vllm} "
                "does not load",
                remedy="Serve an FP8 checkpoint of the model"
                if newer
                else "Serve an FP8 or NVFP4 checkpoint of the model",
                rule=_RULE_UNKNOWN,
                candidates=_newer_or_other(newer, "an FP8 checkpoint of the model"),
            )
        elif _file_unread(stored, vllm) and asked is None:
            newer = oldest_ray(_reads_modelopt_file)
            method = _method_of_algorithm(stored, vllm)
            yield Problem(
                path=arguments.path,
                value=algorithm,
                reason=f"is how the weights are quantized by {stored.file}, which vLLM {vllm} "
                "reads only for a stated method",
                remedy="Serve a checkpoint whose config.json says how it is quantized",
                rule="quantization-file",
                candidates=(
                    use(
                        arguments.path_to_set("quantization"),
                        method,
                        f"add quantization: {method}",
                    ),
                    *ways_to_release(newer),
                ),
            )
        return
    chosen = loading_method(checkpoint, None, tier, vllm)
    if chosen is None or chosen not in quantization_methods(vllm):
        yield Problem(
            path=arguments.path,
            value=stored.method,
            reason=f"is how the checkpoint's weights are quantized, which vLLM {vllm} "
            "does not know",
            remedy="Serve an AWQ, GPTQ or fp8 checkpoint of the model",
            rule=_RULE_UNKNOWN,
        )
    elif not _loads_weights(stored, chosen, vllm):
        newer = nearest_ray(
            lambda row: _loads_weights(
                stored, loading_method(checkpoint, None, tier, row.vllm) or "", row.vllm
            ),
            release.ray.ray,
        )
        limits = weight_limits(vllm)[chosen]
        accepted = " or ".join(map(str, limits.bits))
        yield Problem(
            path=arguments.path,
            value=f"{stored.method} with {stored.bits} bits"
            + (", asymmetric" if stored.symmetric is False else ""),
            reason=f"is how the checkpoint's weights are quantized, and vLLM {vllm} loads "
            f"{'symmetric ' if limits.symmetric else ''}{accepted}-bit weights of this method",
            remedy=f"Serve a checkpoint with {accepted} bits",
            rule=_RULE_UNKNOWN,
            candidates=_newer_or_other(newer, f"a checkpoint with {accepted} bits"),
        )
    elif stored.method == "compressed-tensors" and _scheme_capability(stored, vllm) is None:
        newer = oldest_ray(lambda row: _scheme_capability(stored, row.vllm) is not None)
        yield Problem(
            path=arguments.path,
            value=stored.scheme,
            reason="is the format of the checkpoint's compressed-tensors, for which vLLM "
            f"{vllm} has no scheme",
            remedy="Serve an AWQ, GPTQ or fp8 checkpoint of the model",
            rule=_RULE_UNKNOWN,
            candidates=_newer_or_other(newer, "an AWQ, GPTQ or fp8 checkpoint of the model"),
        )


def _newer_or_other(ray: str | None, checkpoint: str) -> Iterable[WayOut]:
    yield from ways_to_release(ray)
    yield outside(f"serve {checkpoint}")


def _loads_weights(stored: Quantization, method: str, vllm: str) -> bool:
    limits = weight_limits(vllm).get(method)
    if limits is None:
        return method in quantization_methods(vllm)
    return stored.bits in limits.bits and not (limits.symmetric and stored.symmetric is False)


def _reads_modelopt_file(ray: RayRelease) -> bool:
    return bool(modelopt_file_algorithms(ray.vllm))


def _file_unread(stored: Quantization, vllm: str) -> bool:
    """Whether the quantization stands in a file that the release does not read by itself."""
    return stored.file is not None and not modelopt_file_algorithms(vllm)


def _loads_modelopt(stored: Quantization, vllm: str) -> bool:
    algorithms = modelopt_file_algorithms(vllm) if stored.file else ()
    return (stored.scheme or "") in (algorithms or modelopt_algorithms(vllm))


def _method_of_algorithm(stored: Quantization, vllm: str) -> str:
    """The method to state for an algorithm: modelopt, or modelopt_fp4 for 4-bit floats."""
    fp4 = f"{_MODELOPT}_fp4"
    return (
        fp4 if "FP4" in (stored.scheme or "") and fp4 in quantization_methods(vllm) else _MODELOPT
    )


def _scheme_capability(stored: Quantization, vllm: str) -> int | None:
    """The least capability of a checkpoint's scheme; None if the release has no such scheme.

    0 if the format does not say which scheme it is.
    """
    names = _SCHEMES.get(stored.scheme or "")
    if names is None:
        return 0
    schemes = compressed_tensors_schemes(vllm)
    return min((schemes[name] for name in names if name in schemes), default=None)


def _capability_problems(
    method: QuantizationMethod,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    least = method.min_capability or 0
    asked = arguments.get("quantization") is not None
    path = arguments.path_of("quantization")
    stored = checkpoint.quantization
    scheme = None
    if method.name == "compressed-tensors" and stored is not None:
        scheme = stored.scheme
        least = max(least, _scheme_capability(stored, release.vllm) or 0)
    if least > tier.capability:
        name = method.name if asked or stored is None else stored.method
        if stored is not None and stored.assumed:
            scheme = f"by the name of {checkpoint.source}"
        yield Problem(
            path=path,
            value=f"{name} ({scheme})" if scheme else name,
            reason=f"needs compute capability {least / 10:.1f} and "
            f"{tier.gpu_name} ({tier.id}) has {tier.capability / 10:.1f}",
            remedy="Use a newer GPU, or an AWQ checkpoint of the model",
            rule="quantization-capability",
            candidates=(leave_out(path, "leave quantization out"),) if asked else (),
        )


def _dtype_problems(
    method: QuantizationMethod,
    dtype: str,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
) -> Iterable[Problem]:
    """A dtype that the method which loads the weights does not compute in."""
    if method.activation_dtypes is None or dtype in method.activation_dtypes:
        return
    if dtype == "bfloat16" and not tier.has_bfloat16:
        return  # reported for the dtype itself
    stored = checkpoint.quantization
    yield Problem(
        path=arguments.path_of("dtype"),
        value=dtype,
        reason=f"is not a dtype of {stored.method if stored else method.name} on {tier.id}, which "
        f"computes in {' or '.join(method.activation_dtypes)}",
        remedy="Use another dtype",
        rule="quantization-dtype",
        candidates=(leave_out(arguments.path_of("dtype"), "leave dtype out"),)
        if arguments.get("dtype") is not None
        else (),
    )
