"""Whether vLLM can run a model's quantization on a GPU tier.

The format of the weights is a fact of the checkpoint; a stack can only ask vLLM to quantize 16-bit
weights while it loads them. Each check is vLLM's own at engine start.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from models.catalog import GpuTier, QuantizationMethod, quantization_methods, vllm_behaviour
from models.problems import Problem, Severity
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
        refused = tuple(_refused(str(asked), checkpoint, arguments, methods, tier, release))
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
    tier: GpuTier,
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
            remedy=f"Leave it out: the checkpoint says that its weights are {stored}"
            if stored
            else f"Use {_in_flight_methods(methods, tier)}, which quantize while they load, "
            "or serve a quantized checkpoint",
            rule="quantization-unknown",
        )
    elif checkpoint.architecture is not None and stored is None and asked not in IN_FLIGHT_BITS:
        yield Problem(
            path=path,
            value=asked,
            reason="needs a checkpoint that was quantized that way, and this one holds 16-bit "
            "weights",
            remedy="Serve a quantized checkpoint of the model (its name often ends in "
            f"-{asked}), or use {_in_flight_methods(methods, tier)}",
            rule="quantization-checkpoint",
        )


def _in_flight_methods(methods: Mapping[str, QuantizationMethod], tier: GpuTier) -> str:
    """The methods that need no quantized checkpoint and run on this tier."""
    return " or ".join(
        name
        for name in IN_FLIGHT_BITS
        if name in methods and (methods[name].min_capability or 0) <= tier.capability
    )


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
    if least > tier.capability:
        yield Problem(
            path=arguments.path_of("quantization"),
            value=method.name,
            reason=f"needs compute capability {least / 10:.1f} and "
            f"{tier.gpu_name} ({tier.id}) has {tier.capability / 10:.1f}",
            remedy="Use a newer GPU, or an AWQ checkpoint of the model",
            rule="quantization-capability",
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
        remedy="Leave dtype out",
        rule="quantization-dtype",
    )
