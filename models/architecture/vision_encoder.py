"""Reads the encoder that turns images into tokens, as far as a config.json describes it.

Its numbers only refine an estimate. What is missing or cannot be read leaves it undescribed, and
never refuses a model.
"""

import math
from typing import Final

from models.architecture.config_fields import ConfigJsonError, Fields
from models.architecture.llm_architecture import VisionEncoder

# Qwen's processors scale an image down to 16,384 tokens: "Encoder cache will be initialized with a
# budget of 16384 tokens, and profiled with 1 image items" in vLLM's log.
_LARGEST_ITEM_TOKENS: Final = 16_384
_FEED_FORWARD: Final = 4  # times the hidden size where nothing else is said
_LARGEST_MERGE: Final = 64


def vision_encoder(whole: Fields) -> VisionEncoder | None:
    """Return the encoder in `vision_config`, None if there is none or it says too little."""
    try:
        if not whole.has("vision_config"):
            return None
        return _encoder(whole, whole.nested("vision_config"))
    except (ConfigJsonError, ValueError):
        return None


def _encoder(whole: Fields, vision: Fields) -> VisionEncoder:
    # Qwen2-VL calls the language model's width hidden_size, and its own embed_dim.
    hidden = vision.integer("embed_dim", "hidden_size", "vt_hidden_size", "width")
    ratio = vision.number("mlp_ratio") or _FEED_FORWARD
    patch = vision.largest("patch_size")
    image = vision.largest("image_size") if vision.has("image_size") else None
    patches = (image // patch) ** 2 if image else None
    merged = _patches_of_token(whole, vision, patches)
    return VisionEncoder(
        hidden_size=hidden,
        intermediate_size=vision.integer(
            "intermediate_size", "vt_intermediate_size", default=int(ratio * hidden)
        ),
        num_layers=vision.integer(
            "num_hidden_layers", "depth", "layers", "vt_num_hidden_layers", "num_layers"
        ),
        gated=vision.text("hidden_act", default=None) == "silu",
        patch_size=patch,
        patches_per_token=merged,
        tokens_per_image=max(1, patches // merged) if patches else _LARGEST_ITEM_TOKENS,
    )


def _patches_of_token(whole: Fields, vision: Fields, patches: int | None) -> int:
    """How many patches of an image become one token of the language model."""
    for fields in (whole, vision):
        tokens = fields.count("mm_tokens_per_image")
        if tokens and patches:
            return max(1, patches // tokens)
        side = fields.count("spatial_merge_size")
        if side:
            return min(side * side, _LARGEST_MERGE)
        kernel = fields.integers("merge_kernel_size") if fields.is_list("merge_kernel_size") else []
        if kernel:
            return min(math.prod(kernel), _LARGEST_MERGE)
        ratio = fields.number("pixel_shuffle_ratio") or fields.number("downsample_ratio")
        if ratio:
            return min(max(1, round(1 / ratio**2)), _LARGEST_MERGE)
    return 1
