"""Whether vLLM can run a model's quantization on a GPU tier.

The format of the weights is a fact of the checkpoint; a stack can only ask vLLM to quantize 16-bit
weights while it loads them. Each check is vLLM's own at engine start.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from models.catalog import GpuTier, QuantizationMethod, quantization_methods, vllm_behaviour
from models.problems import Problem, Severity
from models.ways_out import WayOut, leave_out, outside, use
from planning.plan import ReleasePlan
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.stated_arguments import StatedArguments

# Methods that quantize 16-bit weights while they load; bits of a linear layer's weight.
IN_FLIGHT_BITS: Final[Mapping[str, float]] = {
    "fp8": 8,
    "bitsandbytes": 4.5,  # 4 bits, and an absmax for each block of 64
}
# Values of `quantization` that mean the same format of a checkpoint.
_SAME_FORMAT: Final[Mapping[str, str]] = {"awq_marlin": "awq", "gptq_marlin": "gptq"}
_MARLIN_CAPABILITY: Final = 80  # of the Marlin kernels for AWQ and GPTQ


def quantization_problems(
    dtype: str,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    """What vLLM would refuse in a stated quantization, or in that of the checkpoint."""
    methods = quantization_methods(release.vllm)
    asked = arguments.get("quantization")
    stored = checkpoint.quantization.method if checkpoint.quantization else None
    if asked is not None:
        refused = tuple(_refused(str(asked), checkpoint, arguments, methods, release))
        if refused:
            yield from refused
            return
        if stored is not None:
            yield from _contradiction(str(asked), stored, arguments, tier)
    if stored is not None and stored not in methods:
        if checkpoint.is_known_to(release.vllm):  # else the model is too new, which is reported
            yield Problem(
                path=arguments.path,
                value=stored,
                reason=f"is how the checkpoint's weights are quantized, which vLLM {release.vllm} "
                "does not know",
                remedy="Serve an AWQ, GPTQ or fp8 checkpoint of the model",
                rule="quantization-unknown",
            )
        return
    method = methods.get(stored or str(asked))
    if method is not None:
        yield from _capability_problems(method, checkpoint, arguments, tier, release)
        yield from _dtype_problems(method, dtype, arguments, methods, tier)


def _refused(
    asked: str,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    methods: Mapping[str, QuantizationMethod],
    release: ReleasePlan,
) -> Iterable[Problem]:
    """A stated method that vLLM does not have, or that 16-bit weights cannot be loaded with."""
    path = arguments.path_of("quantization")
    stored = checkpoint.quantization.method if checkpoint.quantization else None
    if asked not in methods:
        yield Problem(
            path=path,
            value=asked,
            reason=f"is not a quantization method of vLLM {release.vllm}",
            remedy="Leave it out"
            if stored
            else "Leave it out, or serve a quantized checkpoint of the model",
            rule="quantization-unknown",
            candidates=(
                leave_out(path, f"leave it out: the checkpoint says that its weights are {stored}"),
            )
            if stored
            else _without_checkpoint(path, methods),
        )
    elif checkpoint.architecture is not None and stored is None and asked not in IN_FLIGHT_BITS:
        yield Problem(
            path=path,
            value=asked,
            reason="needs a checkpoint that was quantized that way, and this one holds 16-bit "
            "weights",
            remedy=f"Serve a quantized checkpoint of the model; its name often ends in -{asked}",
            rule="quantization-checkpoint",
            candidates=(
                *_without_checkpoint(path, methods),
                outside(f"serve a quantized checkpoint (its name often ends in -{asked})"),
            ),
        )


def _without_checkpoint(path: str, methods: Mapping[str, QuantizationMethod]) -> Iterable[WayOut]:
    """The methods that quantize while they load, and no quantization."""
    for name in IN_FLIGHT_BITS:
        if name in methods:
            yield use(path, name, f"use {name}, which quantizes while it loads", "in flight")
    yield leave_out(path, "leave quantization out")


def _read_from_checkpoint(path: str) -> WayOut:
    return leave_out(path, "leave quantization out: vLLM reads it from the checkpoint")


def _contradiction(
    asked: str, stored: str, arguments: StatedArguments, tier: GpuTier
) -> Iterable[Problem]:
    path = arguments.path_of("quantization")
    if _SAME_FORMAT.get(asked, asked) != stored:
        yield Problem(
            path=path,
            value=asked,
            reason=f"contradicts the checkpoint, whose weights are {stored}",
            remedy="Leave quantization out: vLLM reads it from the checkpoint",
            rule="quantization-checkpoint",
            candidates=(_read_from_checkpoint(path),),
        )
    elif asked in _SAME_FORMAT.values() and tier.capability >= _MARLIN_CAPABILITY:
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


def _capability_problems(
    method: QuantizationMethod,
    checkpoint: Checkpoint,
    arguments: StatedArguments,
    tier: GpuTier,
    release: ReleasePlan,
) -> Iterable[Problem]:
    least = method.min_capability or 0
    scheme = checkpoint.quantization.scheme if checkpoint.quantization else None
    if method.name == "compressed-tensors" and scheme is not None:
        schemes = vllm_behaviour(release.vllm).compressed_tensors_capability
        least = max(least, schemes.get(scheme, 0))
    asked = arguments.get("quantization") is not None
    path = arguments.path_of("quantization")
    if least > tier.capability:
        yield Problem(
            path=path,
            value=method.name,
            reason=f"needs compute capability {least / 10:.1f} and "
            f"{tier.gpu_name} ({tier.id}) has {tier.capability / 10:.1f}",
            remedy="Use a newer GPU, or an AWQ checkpoint of the model",
            rule="quantization-capability",
            candidates=(leave_out(path, "leave quantization out"),) if asked else (),
        )


def _dtype_problems(
    method: QuantizationMethod,
    dtype: str,
    arguments: StatedArguments,
    methods: Mapping[str, QuantizationMethod],
    tier: GpuTier,
) -> Iterable[Problem]:
    """A dtype that neither the method nor its Marlin kernel on this GPU computes in."""
    if method.activation_dtypes is None or dtype in method.activation_dtypes:
        return
    marlin = methods.get(f"{method.name}_marlin")
    runs = marlin is not None and (marlin.min_capability or 0) <= tier.capability
    dtypes = (marlin.activation_dtypes if marlin and runs else None) or ()
    if dtype in dtypes or (dtype == "bfloat16" and not tier.has_bfloat16):
        return  # the latter is reported for the dtype itself
    yield Problem(
        path=arguments.path_of("dtype"),
        value=dtype,
        reason=f"is not a dtype of {method.name} on {tier.id}, which computes in "
        f"{' or '.join(dtypes or method.activation_dtypes)}",
        remedy="Use another dtype",
        rule="quantization-dtype",
        candidates=(leave_out(arguments.path_of("dtype"), "leave dtype out"),)
        if arguments.get("dtype") is not None
        else (),
    )
