"""With which of its quantization methods a vLLM release loads a checkpoint.

Mostly with the one that the checkpoint names. Some methods take over the checkpoints of others:
Marlin's those of AWQ and GPTQ, INC's those of AutoRound. What takes over what is a table of the
release (models/catalog/vllm), read in vLLM's own order, as ModelConfig._verify_quantization does.
"""

from fnmatch import fnmatchcase

from models.architecture import Quantization
from models.catalog import (
    GpuTier,
    QuantizationTakeover,
    modelopt_file_algorithms,
    quantization_methods,
    quantization_takeovers,
)
from planning.sizing.checkpoint import Checkpoint


def loading_method(
    checkpoint: Checkpoint, asked: str | None, tier: GpuTier, vllm: str
) -> str | None:
    """The method that vLLM loads the weights with; None if they are not quantized.

    asked: the argument `quantization`, None if it is left to vLLM.
    """
    stored = checkpoint.quantization
    if stored is None:
        return asked
    model_type = checkpoint.architecture.model_type if checkpoint.architecture else ""
    for takeover in quantization_takeovers(vllm):
        if takes_over(takeover, stored, model_type, asked) and (
            not takeover.marlin or _runs_marlin(takeover, stored, tier, vllm)
        ):
            return takeover.method
    if stored.file is not None and asked is None:
        return modelopt_file_algorithms(vllm).get(stored.scheme or "", stored.method)
    return stored.method


def takes_over(
    takeover: QuantizationTakeover, stored: Quantization, model_type: str, asked: str | None
) -> bool:
    """Whether a row of the table holds for a checkpoint, on a GPU that has the kernels."""
    if takeover.stated is not None and asked not in takeover.stated:
        return False
    if takeover.bits is not None and not takeover.marlin and stored.bits not in takeover.bits:
        return False
    patterns = (
        (takeover.of, stored.method),
        (takeover.algorithms, stored.scheme or ""),
        (takeover.formats, stored.scheme or ""),
        (takeover.model_types, model_type),
    )
    return all(
        wanted is None or any(fnmatchcase(text, pattern) for pattern in wanted)
        for wanted, text in patterns
    )


def accepts(checkpoint: Checkpoint, asked: str, vllm: str) -> bool:
    """Whether a stated method is a name for how the checkpoint is loaded, on some GPU."""
    stored = checkpoint.quantization
    if stored is None or asked == stored.method:
        return True
    model_type = checkpoint.architecture.model_type if checkpoint.architecture else ""
    return any(
        takes_over(takeover, stored, model_type, asked) for takeover in quantization_takeovers(vllm)
    )


def _runs_marlin(
    takeover: QuantizationTakeover, stored: Quantization, tier: GpuTier, vllm: str
) -> bool:
    """What check_marlin_supported asks of the GPU and of the weights."""
    method = quantization_methods(vllm).get(takeover.method)
    if method is None or tier.capability < (method.min_capability or 0):
        return False
    return (
        (takeover.bits is None or stored.bits in takeover.bits)
        and (takeover.group_sizes is None or stored.group_size in {None, *takeover.group_sizes})
        and (not takeover.symmetric or stored.symmetric is not False)
        and (not takeover.zero_point or stored.zero_point is not False)
    )
