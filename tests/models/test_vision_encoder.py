"""The encoder of images as families describe it; the values are those of published files."""

from typing import Any

import pytest

from models.architecture import VisionEncoder
from tests.models.test_family_names import read

SIGLIP = {
    "image_size": 896,
    "patch_size": 14,
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
}


def encoder(vision: Any, **whole: Any) -> VisionEncoder | None:
    return read(model_type="some_vl", vision_config=vision, **whole).vision


def test_gemma_3_makes_256_tokens_of_4096_patches() -> None:
    gemma = encoder(SIGLIP, mm_tokens_per_image=256)
    assert gemma is not None
    assert (gemma.patches_per_token, gemma.tokens_per_image) == (16, 256)
    assert gemma.parameters == pytest.approx(0.41e9, rel=0.02)


def test_qwen_says_neither_the_size_of_an_image_nor_its_own_width_by_that_name() -> None:
    old = {"depth": 32, "embed_dim": 1280, "hidden_size": 3584, "mlp_ratio": 4, "patch_size": 14}
    qwen2 = encoder(old | {"spatial_merge_size": 2})
    assert qwen2 is not None
    assert (qwen2.hidden_size, qwen2.intermediate_size, qwen2.num_layers) == (1280, 5120, 32)
    assert (qwen2.patches_per_token, qwen2.tokens_per_image) == (4, 16_384)


@pytest.mark.parametrize(
    ("merging", "patches"),
    [
        ({"spatial_merge_size": 2}, 4),
        ({"merge_kernel_size": [2, 2]}, 4),
        ({"pixel_shuffle_ratio": 0.5}, 4),
        ({"downsample_ratio": 0.5}, 4),
        ({}, 1),
    ],
)
def test_patches_are_merged_as_the_family_says(merging: dict[str, Any], patches: int) -> None:
    inside, beside = encoder(SIGLIP | merging), encoder(SIGLIP, **merging)
    assert inside is not None
    assert inside == beside
    assert inside.patches_per_token == patches


def test_a_gate_is_seen_by_its_activation() -> None:
    pixtral = encoder(SIGLIP | {"hidden_act": "silu"})
    assert pixtral is not None
    assert pixtral.gated


@pytest.mark.parametrize(
    "vision",
    [
        {"model_type": "siglip"},
        {"hidden_size": "wide"},
        SIGLIP | {"patch_size": 0},
        SIGLIP | {"patch_size": 2000},
        SIGLIP | {"merge_kernel_size": ["a"]},
        SIGLIP | {"num_hidden_layers": None},
        7,
    ],
)
def test_what_cannot_be_read_refuses_no_model(vision: Any) -> None:
    architecture = read(model_type="some_vl", vision_config=vision)
    assert architecture.multimodal
    assert architecture.vision is None or architecture.vision.tokens_per_image >= 1
