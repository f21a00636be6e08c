"""A draft of speculative decoding takes weights and a KV cache of its own on the model's GPUs."""

from collections.abc import Mapping
from typing import Any

import pytest

from models.catalog import llms
from planning.plan import GIB, MemoryFit
from planning.sizing.memory.draft import speculative_config, speculative_method
from tests.planning.small_stacks import planned

EAGLE3 = {"method": "eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"}
SMALL = "Qwen/Qwen3-0.6B"


def fit(
    config: Mapping[str, Any] | None, model: str = "llama-3.1-8b-instruct", **fields: Any
) -> MemoryFit:
    engine: dict[str, Any] = {"max_num_seqs": 16, "max_num_batched_tokens": 2048}
    if config is not None:
        engine["speculative_config"] = {"num_speculative_tokens": 3, **config}
    entry = {"model": model, "gated": False, "contextLength": 4096, "engine": engine, **fields}
    pools = [fields.get("gpu", "l4")]
    plan = planned([entry], gpuPools=pools, versions={"ray": "2.55.1"})
    found = plan.models[0].fit
    assert found is not None
    return found


def test_an_eagle_head_takes_what_its_publisher_states() -> None:
    without, with_head = fit(None), fit(EAGLE3)
    # model.safetensors of yuhuili/EAGLE3-LLaMA3.1-Instruct-8B has 0.85 GB.
    assert with_head.weight_bytes - without.weight_bytes == pytest.approx(0.85e9, rel=0.02)
    assert with_head.draft_bytes == with_head.weight_bytes - without.weight_bytes


def test_an_eagle_head_adds_one_layer_to_the_cache_of_32() -> None:
    without, with_head = fit(None), fit(EAGLE3)
    assert with_head.kv_per_sequence_bytes * 32 == without.kv_per_sequence_bytes * 33


def test_the_assumed_size_of_a_head_widens_the_doubt() -> None:
    assert fit(EAGLE3).margin_bytes > fit(None).margin_bytes + 0.3 * GIB


def test_a_draft_of_the_catalogue_counts_with_its_own_sizes() -> None:
    row = llms()["qwen3-0.6b"]
    without = fit(None, "qwen3-4b")
    with_draft = fit({"model": SMALL}, "qwen3-4b")
    assert with_draft.draft_bytes == row.weight_bytes
    own = row.architecture.kv_values_per_token_per_layer * row.architecture.num_hidden_layers * 2
    added = with_draft.kv_per_sequence_bytes - without.kv_per_sequence_bytes
    assert added == own * 4096


def test_a_draft_on_one_gpu_is_whole_on_every_gpu() -> None:
    one = {"model": SMALL, "draft_tensor_parallel_size": 1}
    model, where = "qwen3-4b", {"gpu": "l4-x4", "tensorParallelSize": 2}
    spread, whole = fit({"model": SMALL}, model, **where), fit(one, model, **where)
    assert whole.draft_bytes == 2 * spread.draft_bytes


@pytest.mark.parametrize("config", [{"method": "ngram"}, {"model": "ngram"}, {"method": "suffix"}])
def test_looking_up_takes_no_gpu_memory(config: Mapping[str, Any]) -> None:
    assert fit(config) == fit(None)


@pytest.mark.parametrize(
    ("config", "method"),
    [
        ({"model": "acme/eagle3-llama"}, "eagle3"),
        ({"model": "acme/EAGLE-llama"}, "eagle"),
        ({"model": SMALL}, "draft_model"),
        ({"model": "acme/unknown"}, None),
        ({"method": "mtp", "model": "acme/eagle-x"}, "mtp"),
    ],
)
def test_the_method_is_stated_or_read_from_the_name(
    config: Mapping[str, Any], method: str | None
) -> None:
    assert speculative_method(config) == method


def test_the_short_forms_of_newer_releases_mean_the_same() -> None:
    assert speculative_config({"spec_method": "ngram", "spec_tokens": 4}) == {
        "method": "ngram",
        "num_speculative_tokens": 4,
    }
    assert speculative_config({"max_num_seqs": 4}) is None
