"""The memory of models that take images: the encoder's weights, and when its peak is largest."""

from typing import Any

import pytest

from models.catalog import llms, vllm_behaviour
from planning import GIB
from planning.sizing.memory.activations import activation_bytes
from planning.sizing.memory.estimate import memory_fit, weight_bytes_per_gpu
from planning.sizing.memory.images import (
    encoder_bytes,
    encoder_peak_bytes,
    image_margin_bytes,
    kept_image_bytes,
    stated_images,
)
from planning.sizing.memory.vllm_accounting import MemoryInputs, accounting
from tests.planning.sizing.test_memory import llm, load_of

GEMMA = llms()["gemma-3-12b-it"].architecture


def gemma(**changes: Any) -> MemoryInputs:
    """Gemma 3 12B with vLLM 0.18, which does not sort to sample."""
    return llm("gemma-3-12b-it", accounting=accounting("0.18.0", v0_engine=False), **changes)


def test_the_images_of_a_step_are_encoded_at_once() -> None:
    """32 images of 4,096 patches: two of 4,304 values, three of 1,152, and the pixels."""
    values = 2 * 4304 + 3 * 1152 + 3 * 14**2
    assert encoder_peak_bytes(gemma()) == 32 * 4096 * values * 2


def test_with_few_sequences_the_encoder_has_the_largest_peak() -> None:
    inputs = gemma(max_num_seqs=16)
    assert activation_bytes(inputs) == int(0.1 * GIB) + encoder_peak_bytes(inputs)
    many = gemma(max_num_seqs=1024)
    assert activation_bytes(many) > int(0.1 * GIB) + encoder_peak_bytes(many)


def test_its_tokens_are_kept_while_the_language_model_is_profiled() -> None:
    many = gemma(max_num_seqs=1024)
    text = load_of(
        GEMMA.model_copy(update={"multimodal": False}),
        max_num_seqs=1024,
        accounting=many.accounting,
    )
    assert activation_bytes(many) - activation_bytes(text) == kept_image_bytes(many)
    assert kept_image_bytes(many) == int(0.15 * GIB) + 8192 * 3840 * 2


def test_fewer_images_take_less_and_none_take_nothing() -> None:
    one = gemma(max_num_seqs=2, images_per_prompt=1)
    assert encoder_peak_bytes(one) * 16 == encoder_peak_bytes(gemma(max_num_seqs=2))
    none, text = gemma(images_per_prompt=0), GEMMA.model_copy(update={"multimodal": False})
    assert activation_bytes(none) == activation_bytes(load_of(text, accounting=none.accounting))
    assert image_margin_bytes(none) == 0


def test_an_image_is_encoded_whole_however_small_the_step() -> None:
    assert encoder_peak_bytes(gemma(max_num_batched_tokens=16)) > 0


def test_the_margin_says_that_the_peak_is_computed() -> None:
    inputs = gemma()
    without = memory_fit(gemma(images_per_prompt=0))
    assert memory_fit(inputs).margin_bytes - without.margin_bytes > image_margin_bytes(inputs) > 0


def test_a_gpu_holds_the_encoder_whole() -> None:
    """Mistral Small 3.1 loads 11.86 GiB on each of four GPUs, 0.6 more than a quarter."""
    whole, four = gemma(), gemma(tensor_parallel_size=4)
    least = (weight_bytes_per_gpu(whole) + 3 * encoder_bytes(whole)) / 4
    assert weight_bytes_per_gpu(four) >= least
    divided = GEMMA.model_copy(update={"model_type": "qwen2_5_vl"})
    assert encoder_bytes(load_of(divided)) == 0
    assert encoder_bytes(load_of(GEMMA.model_copy(update={"multimodal": False}))) == 0


def test_an_unknown_encoder_counts_as_a_usual_one() -> None:
    unknown = load_of(GEMMA.model_copy(update={"vision": None}))
    assert 0.5 * GIB < encoder_peak_bytes(unknown) < 1.5 * GIB


@pytest.mark.parametrize(
    ("engine", "images"),
    [
        ({}, None),
        ({"limit_mm_per_prompt": {"image": 2}}, 2),
        ({"limit_mm_per_prompt": {"image": {"count": 3, "width": 512}}}, 3),
        ({"limit_mm_per_prompt": {"video": 1}}, None),
        ({"limit_mm_per_prompt": {"image": "many"}}, None),
        ({"limit_mm_per_prompt": 3}, None),
        ({"language_model_only": True}, 0),
    ],
)
def test_the_images_of_a_prompt_are_read(engine: dict[str, Any], images: int | None) -> None:
    assert stated_images(engine) == images


def test_the_sampler_stopped_sorting_in_0_17() -> None:
    """Qwen3 14B on 0.17.0 peaks at 2.23 GiB with 1,024 sequences; sorting took 5.7."""
    sorting, not_sorting = (vllm_behaviour(version) for version in ("0.16.0", "0.17.0"))
    assert sorting.sampling_bytes_per_logit > 2 * not_sorting.sampling_bytes_per_logit
    inputs = llm("qwen3-14b", max_num_seqs=1024, accounting=accounting("0.17.0", v0_engine=False))
    assert activation_bytes(inputs) / GIB == pytest.approx(2.23, abs=0.1)


def test_stages_that_share_no_layer_hold_little_outside_pytorch() -> None:
    """0.07 GiB on each of two and four H100; 0.55 if they share layers."""
    hopper = {"compute_capability": (9, 0), "accounting": accounting("0.18.0", v0_engine=False)}
    stages = llm("llama-3.1-8b-instruct", pipeline_parallel_size=2, **hopper)
    shards = llm("llama-3.1-8b-instruct", tensor_parallel_size=2, **hopper)
    assert memory_fit(stages).runtime_bytes == int(0.1 * GIB)
    assert memory_fit(shards).runtime_bytes > 0.5 * GIB
