"""Releases of Ray, KubeRay and vLLM, and what the pinned vLLMs accept."""

import ast
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from models.catalog import (
    DEFAULT_KUBERAY,
    DEFAULT_RAY,
    Known,
    KubeRayRelease,
    RayRelease,
    Release,
    Tested,
    engine_arguments,
    front_end_arguments,
    kuberay_releases,
    quantization_methods,
    ray_releases,
    serving_arguments,
    supported_architectures,
    vllm_versions,
)
from planning.infrastructure.container_image import cuda_of_image

ROOT = Path(__file__).parents[2]
VERSIONS = vllm_versions()
YAML_TYPES = {"int", "float", "bool", "str", "list", "dict", "none"}


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_the_defaults_are_run_in_a_whole_cluster() -> None:
    assert ray_releases()[DEFAULT_RAY].tested is Tested.CLUSTER
    assert kuberay_releases()[DEFAULT_KUBERAY].tested is Tested.CLUSTER


def test_each_claim_of_a_row_says_once_how_it_is_known() -> None:
    for release in (*ray_releases().values(), *kuberay_releases().values()):
        of_the_row = {"ray", "version", "tested", "known"}
        claims = sorted(set(type(release).model_fields) - of_the_row)
        assert sorted(chain(*release.known.values())) == claims
        for claim in claims:
            assert claim in release.known[release.how_known(claim)]


def test_what_an_image_holds_was_never_seen() -> None:
    for release in ray_releases().values():
        assert not {"image", "cuda", "vllm"} & set(release.known.get(Known.RUN, ()))


@pytest.mark.parametrize("table", [RayRelease, KubeRayRelease])
def test_every_claim_of_the_table_is_read_by_code(table: type[Release]) -> None:
    """By its name as an attribute, outside of the catalogue that holds it."""
    read = {
        node.attr
        for folder in (
            "models",
            "planning",
            "rollouts",
            "diagnosis",
            "manifests",
            "components",
            "reports",
        )
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert set(table.model_fields) - {"known"} <= read


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


def test_the_cuda_of_an_image_is_the_one_in_its_tag() -> None:
    for release in ray_releases().values():
        assert cuda_of_image(release.image) in (release.cuda, None)


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
