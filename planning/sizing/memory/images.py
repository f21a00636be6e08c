"""What a model that takes images holds on one GPU besides: its encoder, and its profiling run.

V1 encodes as many of the largest images as fill a step, keeps the tokens that come out, and then
profiles the language model (GPUModelRunner.profile_run). Checked against the rows of models with
images in tests/planning/sizing/memory_points.yaml.
"""

from collections.abc import Mapping
from typing import Any, Final

from models.architecture import VisionEncoder
from planning.plan import GIB
from planning.sizing.memory.vllm_accounting import MemoryInputs

# SigLIP so400m, of Gemma 3 and others, for an encoder whose numbers are not known.
USUAL_ENCODER: Final = VisionEncoder(
    hidden_size=1152,
    intermediate_size=4304,
    num_layers=27,
    patch_size=14,
    patches_per_token=4,
    tokens_per_image=1024,
)
# Families whose encoder tensor parallelism divides: the weights of Qwen2.5-VL and Llama 4 Scout at
# 4 GPUs and of Kimi-VL at 2 say so. Those of Mistral Small 3.1, in Mistral's own format, say the
# opposite; any other family counts as whole.
_DIVIDED_FAMILIES: Final = ("qwen", "llama4", "kimi_vl")
_VALUE_BYTES: Final = 2  # encoders compute in 16 bit, and stay so in quantized checkpoints
# A feed-forward layer holds its projections and their activation, and the block around it hidden
# state, residual and the norm's output, all at once.
_HIDDEN_COPIES: Final = 3
_COLOURS: Final = 3
# Beside the tokens that are kept; fitted. With them 0.18 to 0.24 GiB, and 0 to 0.26 are measured.
_KEPT_BYTES: Final = int(0.15 * GIB)
# The peak of the encoder is computed, and no log shows it where it is the largest.
_MARGIN_SHARE: Final = 0.15


def stated_images(engine: Mapping[str, Any]) -> int | None:
    """How many images a prompt may have, by the engine arguments; None if they do not say it."""
    if engine.get("language_model_only") is True:
        return 0
    limits = engine.get("limit_mm_per_prompt")
    limit = limits.get("image") if isinstance(limits, Mapping) else None
    if isinstance(limit, Mapping):  # with the size of the images beside it
        limit = limit.get("count")
    return limit if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0 else None


def takes_images(inputs: MemoryInputs) -> bool:
    """Whether an encoder of images is profiled: not if a prompt may have none."""
    return inputs.architecture.multimodal and inputs.images_per_prompt != 0


def encoder_bytes(inputs: MemoryInputs) -> int:
    """The weights of the encoder where every GPU holds it whole; 0 if there is none."""
    architecture = inputs.architecture
    if not architecture.multimodal or architecture.model_type.startswith(_DIVIDED_FAMILIES):
        return 0
    return _encoder(inputs).parameters * _VALUE_BYTES


def encoder_peak_bytes(inputs: MemoryInputs) -> int:
    """The activations of one layer of the encoder over all images of a step."""
    encoder = _encoder(inputs)
    wide = (3 if encoder.gated else 2) * encoder.intermediate_size
    pixels = _COLOURS * encoder.patch_size**2
    values = wide + _HIDDEN_COPIES * encoder.hidden_size + pixels
    return _image_tokens(inputs) * encoder.patches_per_token * values * _VALUE_BYTES


def kept_image_bytes(inputs: MemoryInputs) -> int:
    """The tokens of the images, which stay while the language model is profiled."""
    tokens = _image_tokens(inputs) * inputs.architecture.hidden_size * inputs.value_bytes
    return _KEPT_BYTES + tokens


def image_margin_bytes(inputs: MemoryInputs) -> int:
    """By how much the encoder's peak may be off; 0 without images, and on V0."""
    if not takes_images(inputs) or inputs.accounting.v0_engine:
        return 0
    return int(_MARGIN_SHARE * encoder_peak_bytes(inputs))


def _encoder(inputs: MemoryInputs) -> VisionEncoder:
    return inputs.architecture.vision or USUAL_ENCODER


def _image_tokens(inputs: MemoryInputs) -> int:
    """Tokens of the images that one step encodes: whole images, and at least one."""
    encoder = _encoder(inputs)
    images = max(1, inputs.max_num_batched_tokens // encoder.tokens_per_image)
    if inputs.images_per_prompt:
        images = min(images, inputs.max_num_seqs * inputs.images_per_prompt)
    return images * encoder.tokens_per_image
