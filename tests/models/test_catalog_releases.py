"""Releases of Ray, KubeRay and vLLM, and what the pinned vLLMs accept."""

import re
import subprocess
import sys

import pytest

from models.catalog import (
    DEFAULT_KUBERAY,
    DEFAULT_RAY,
    engine_arguments,
    front_end_arguments,
    kuberay_releases,
    quantization_methods,
    ray_releases,
    serving_arguments,
    supported_architectures,
    vllm_versions,
)

VERSIONS = vllm_versions()
YAML_TYPES = {"int", "float", "bool", "str", "list", "dict", "none"}


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_the_defaults_are_tested_releases() -> None:
    assert ray_releases()[DEFAULT_RAY].tested
    assert kuberay_releases()[DEFAULT_KUBERAY].tested


def test_only_what_the_tests_run_is_called_tested() -> None:
    assert [r.ray for r in ray_releases().values() if r.tested] == ["2.49.1"]
    assert [r.version for r in kuberay_releases().values() if r.tested] == ["1.6.2"]


def test_releases_are_in_order_and_vllm_grows_with_ray() -> None:
    for versions in (
        [numbers(version) for version in ray_releases()],
        [numbers(version) for version in kuberay_releases()],
        [numbers(version) for version in VERSIONS],
    ):
        assert versions == sorted(versions)


def test_images_are_of_their_release() -> None:
    for release in ray_releases().values():
        tag = release.image.partition(":")[2]
        assert re.fullmatch(rf"{re.escape(release.ray)}-py3\d\d-.+", tag)


def test_minimum_versions_are_within_the_tables() -> None:
    oldest_ray = min(map(numbers, ray_releases()))
    for release in ray_releases().values():
        assert release.min_kuberay in kuberay_releases()
    for operator in kuberay_releases().values():
        assert numbers(operator.min_ray) <= oldest_ray


def test_only_the_first_release_has_the_v0_engine_and_the_old_router() -> None:
    for release in ray_releases().values():
        first = release.ray == "2.49.1"
        assert release.supports_v0_engine is first
        assert (release.ingress_class == "LLMRouter") is first


@pytest.mark.parametrize("version", VERSIONS)
def test_every_pinned_vllm_has_its_facts(version: str) -> None:
    arguments = engine_arguments(version)
    assert len(arguments) > 100
    for argument in (*arguments.values(), *serving_arguments(version).values()):
        assert argument.types
        assert set(argument.types) <= YAML_TYPES
    assert len(supported_architectures(version)) > 100
    assert quantization_methods(version)


@pytest.mark.parametrize("version", VERSIONS)
def test_arguments_that_the_program_writes_exist(version: str) -> None:
    arguments = engine_arguments(version)
    assert arguments["tensor_parallel_size"].types == ("int",)
    assert arguments["gpu_memory_utilization"].types == ("int", "float")
    assert arguments["enforce_eager"].types == ("bool",)
    assert "int" in arguments["max_model_len"].types
    assert "int" in arguments["max_num_seqs"].types
    assert {"float16", "bfloat16"} <= set(arguments["dtype"].choices or ())
    assert "fp8" in (arguments["kv_cache_dtype"].choices or ())
    # An int for a float is fine in YAML: swap_space: 4, cpu_offload_gb: 8.
    assert "int" in arguments["cpu_offload_gb"].types


@pytest.mark.parametrize("version", VERSIONS)
def test_the_http_servers_arguments_are_kept_apart(version: str) -> None:
    front_end = front_end_arguments(version)
    assert {"api_key", "host", "port", "ssl_keyfile", "ssl_certfile"} <= front_end
    assert not front_end & set(engine_arguments(version))
    assert not front_end & set(serving_arguments(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_tool_parsers_and_chat_templates_work_under_ray(version: str) -> None:
    assert {"tool_call_parser", "enable_auto_tool_choice", "chat_template"} <= set(
        serving_arguments(version)
    )


def test_arguments_that_went_are_gone() -> None:
    gone = {"swap_space", "task", "guided_decoding_backend", "rope_scaling"}
    assert gone <= set(engine_arguments("0.10.0"))
    assert not gone & set(engine_arguments("0.29.0"))


def test_squeezellm_is_nowhere() -> None:
    for version in VERSIONS:
        assert "squeezellm" not in quantization_methods(version)
    assert "squeezellm" not in (engine_arguments("0.10.0")["quantization"].choices or ())


@pytest.mark.parametrize(
    ("method", "capability"),
    [("awq", 75), ("gptq", 60), ("bitsandbytes", 70), ("awq_marlin", 80), ("fp8", 80)],
)
def test_quantization_needs_the_gpus_that_vllm_0_10_0_says(method: str, capability: int) -> None:
    assert quantization_methods("0.10.0")[method].min_capability == capability


def test_plain_awq_is_float16_only_in_0_10_0() -> None:
    assert quantization_methods("0.10.0")["awq"].activation_dtypes == ("float16",)


def test_integer_choices_are_integers() -> None:
    assert engine_arguments("0.10.0")["block_size"].choices == (1, 8, 16, 32, 64, 128)


def test_an_unknown_vllm_is_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"0\.9\.9 is not in the release table.*0\.10\.0"):
        engine_arguments("0.9.9")


def test_the_whole_catalogue_loads_quickly() -> None:
    """Under 60 ms when the machine is idle; the limit allows for a busy one."""
    code = """
import time
import models.catalog as catalog
start = time.perf_counter()
for load in (catalog.llms, catalog.gpu_tiers, catalog.machine_types, catalog.prices,
             catalog.ray_releases, catalog.kuberay_releases, catalog.regions):
    load()
catalog.engine_arguments(catalog.ray_releases()[catalog.DEFAULT_RAY].vllm)
print(time.perf_counter() - start)
"""
    runs = [
        float(
            subprocess.run(
                [sys.executable, "-c", code], check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(3)
    ]
    assert min(runs) < 0.25
