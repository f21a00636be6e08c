"""The behaviour of each vLLM release, and the order in which the table is read."""

import pytest

from models.catalog import (
    behaviour_rows,
    engine_arguments,
    oldest_ray,
    ray_releases,
    release_number,
    vllm_behaviour,
    vllm_versions,
)

# Facts that change between releases, for each of these.
RELEASES = tuple(vllm_versions())
CHANGES = {
    "draft_models": (False, False, False, True, True, True, True, True),
    "draft_vocabulary": (False, False, False, True, True, True, True, True),
    "async_scheduling_on_ray": (True, True, True, False, False, True, True, True),
    "async_scheduling_of_pipelines": (False, False, False, True, True, True, True, True),
    "compilation_config_readable": (False, True, True, True, True, True, True, True),
    "nested_overrides": (False, False, False, True, True, True, True, True),
    "chunked_prefill_obeyed": (False, False, False, True, True, True, True, True),
    "disabled_windows_of_scaled_rope": (False, False, False, True, True, True, True, True),
    "preferred_fp8_kv_cache_capability": (90, 90, 89, 89, 89, 89, 89, 89),
    "swap_space_gib": (4.0, 4.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0),
    "flashinfer_capability": (75, 75, 75, 75, 75, 80, 80, 80),
    "sampling_bytes_per_logit": (38.0, 38.0, 38.0, 38.0, 14.7, 14.7, 14.7, 14.7),
    "runtime_gib": (0.15, 0.15, 0.15, 0.15, 0.25, 0.25, 0.25, 0.25),
    "lora_of_experts": (False, False, False, True, True, True, True, True),
    "moe_workspace_kept": (False, False, False, True, True, True, True, True),
    "fused_all_reduce": (False, False, False, False, True, True, True, True),
    "mxfp4_tile_on_hopper": (128, 128, 128, 64, 64, 64, 64, 64),
    "full_cuda_graphs": (False, False, True, True, True, True, True, True),
    "graph_sizes_follow_sequences": (False, True, True, True, True, True, True, True),
    "sparse_graph_sizes": (False, False, False, True, True, True, True, True),
    "graphs_in_budget": (False, False, False, False, False, True, True, True),
    "cache_group_slack": (1.0, 1.0, 1.0, 1.25, 1.5, 1.5, 1.5, 1.5),
    "windows_wait_for_batches": (False, False, False, False, False, True, True, True),
    "shares_indexers": (False, False, False, False, False, True, True, True),
    "states_bound_sequences": (False, False, False, False, False, True, True, True),
    "nemotron_h_experts": (False, False, False, True, True, True, True, True),
    "state_dtype_of_config": (False, False, False, True, True, True, True, True),
}


@pytest.mark.parametrize("fact", CHANGES)
def test_a_fact_changes_at_its_release(fact: str) -> None:
    values = tuple(getattr(vllm_behaviour(version), fact) for version in RELEASES)
    assert values == CHANGES[fact]


def test_every_other_fact_is_the_same_in_all_releases() -> None:
    same = (
        set(behaviour_rows())
        - set(CHANGES)
        - {"lora_ranks", "eagle3_targets", "strict_arguments", "async_speculation"}
        - {"state_cache_modes", "flashinfer_fp8_heads"}
        - {"multimodal_arguments", "rope_parameters", "transformers"}
    )
    for fact in same:
        assert behaviour_rows()[fact].since == {}


@pytest.mark.parametrize(
    ("version", "cached", "default"),
    [
        ("0.11.0", None, None),
        ("0.15.0", "all", None),
        ("0.18.0", "all", None),
        ("0.26.0", "all", "on"),
        ("0.29.0", "align", "on"),
    ],
)
def test_states_are_cached_as_a_release_does(
    version: str, cached: str | None, default: str | None
) -> None:
    assert vllm_behaviour(version).state_cache_modes == {"cached": cached, "default": default}


@pytest.mark.parametrize("fact", ["eagle3_targets", "async_speculation"])
def test_speculation_is_bound_in_0_26_as_in_0_29(fact: str) -> None:
    before, *after = (
        getattr(vllm_behaviour(version), fact)
        for version in ("0.18.0", "0.26.0", "0.27.0", "0.29.0")
    )
    assert after == [after[0]] * 3
    assert before != after[0]


def test_transformers_5_comes_with_vllm_0_26() -> None:
    versions = ("0.10.0", "0.11.0", "0.15.0", "0.18.0", "0.26.0", "0.27.0", "0.29.0")
    reads = [vllm_behaviour(version).rope_parameters for version in versions]
    assert reads == ["nothing", "nothing", "scaling", "scaling", "all", "all", "all"]
    assert vllm_behaviour("0.10.2").multimodal_arguments
    assert not vllm_behaviour("0.11.0").multimodal_arguments


@pytest.mark.parametrize("version", vllm_versions())
def test_ranks_of_lora_are_the_arguments_choices_or_in_the_table(version: str) -> None:
    choices = engine_arguments(version)["max_lora_rank"].choices
    assert (vllm_behaviour(version).lora_ranks is None) == (choices is not None)


@pytest.mark.parametrize("version", vllm_versions())
def test_swap_space_is_reserved_where_the_argument_exists(version: str) -> None:
    assert bool(vllm_behaviour(version).swap_space_gib) == (
        "swap_space" in engine_arguments(version)
    )


def test_a_version_outside_the_table_behaves_as_the_change_before_it() -> None:
    assert vllm_behaviour("0.6.4") == vllm_behaviour("0.10.0")
    assert vllm_behaviour("0.13.1") == vllm_behaviour("0.12.0")
    assert vllm_behaviour("0.20.2") == vllm_behaviour("0.18.0")
    assert vllm_behaviour("1.0") == vllm_behaviour("0.29.0")


def test_changes_are_listed_oldest_first() -> None:
    for row in behaviour_rows().values():
        numbers = [release_number(version) for version in row.since]
        assert numbers == sorted(numbers)
        assert row.source


def test_versions_are_compared_as_numbers() -> None:
    assert release_number("0.9.2") < release_number("0.10.0") < release_number("0.10.1.1")
    assert release_number("0.11") == release_number("0.11.0")


def test_the_oldest_ray_that_suits_is_named_for_a_way_out() -> None:
    assert oldest_ray(lambda ray: vllm_behaviour(ray.vllm).draft_models) == "2.54.1"
    assert oldest_ray(lambda ray: ray.supports_v0_engine) == "2.49.1"
    assert oldest_ray(lambda ray: ray.vllm not in vllm_versions()) is None
    assert oldest_ray(lambda _: True) == next(iter(ray_releases()))
