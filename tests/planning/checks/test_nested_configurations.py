"""Values in configurations that engine arguments hold: what pydantic reads passes, no more."""

from typing import Any

import pytest

from tests.planning.stacks import MODEL, planned, sentences, stack

WHERE = "ray-llm:models[0].engine"


def _stack(engine: dict[str, Any], ray: str) -> dict[str, Any]:
    entry = {"model": MODEL, "engine": engine}
    return stack([entry], ["l4"], versions={"ray": ray})


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ({"compilation_config": {"mode": 4}}, "compilation_config.mode: 4 is not a value"),
        ({"compilation_config": {"mode": "eager"}}, "compilation_config.mode: eager is not"),
        ({"compilation_config": {"mode": [3]}}, "compilation_config.mode: a list is not"),
        (
            {"compilation_config": {"cudagraph_mode": "FULL_DECODE"}},
            "Did you mean FULL_DECODE_ONLY?",
        ),
        ({"compilation_config": {"cache_dir": 7}}, "compilation_config.cache_dir: 7 is not a text"),
        ({"compilation_config": {"cache_dir": None}}, "null is not a text"),
        (
            {"compilation_config": {"pass_config": {"fuse_norm_quant": "maybe"}}},
            'pass_config.fuse_norm_quant: "maybe" is not true or false',
        ),
        (
            {"compilation_config": {"pass_config": {"fuse_norm_quants": True}}},
            "pass_config.fuse_norm_quants: is not a field of compilation_config.pass_config",
        ),
        (
            {"profiler_config": {"active_iterations": 0}},
            "profiler_config.active_iterations: 0 is not what vLLM 0.29.0 accepts",
        ),
        ({"kernel_config": {"moe_backend": "trition"}}, "Did you mean triton?"),
        ({"mamba_config": {"backend": "cuda"}}, "mamba_config.backend: cuda is not a value"),
        ({"mamba_backend": "cuda"}, "mamba_backend: cuda is not a value"),
        ({"offload_backend": "UVA"}, "offload_backend: UVA is not a value"),
        ({"attention_config": {"flash_attn_version": "3"}}, "is not a whole number"),
        ({"attention_config": {"flash_attn_version": 5}}, "flash_attn_version: 5 is not a value"),
        ({"kv_transfer_config": {"kv_role": "kv_sender"}}, "kv_role: kv_sender is not a value"),
    ],
)
def test_what_the_configuration_refuses_stops(engine: dict[str, Any], said: str) -> None:
    (sentence,) = sentences(_stack(engine, "2.60.0"))
    assert sentence.startswith(WHERE)
    assert said in sentence


@pytest.mark.parametrize(
    "engine",
    [
        {"compilation_config": {"mode": 3}},
        {"compilation_config": {"mode": "vllm_compile"}},
        {"compilation_config": {"mode": None}},
        {"compilation_config": {"cudagraph_mode": "full_decode_only"}},
        {"compilation_config": {"cudagraph_num_of_warmups": "2"}},
        {"compilation_config": {"compile_mm_encoder": "yes"}},
        {"compilation_config": {"pass_config": {"fuse_norm_quant": True}}},
        {"kernel_config": {"moe_backend": "Triton"}},
        {"profiler_config": {"active_iterations": 1}},
        {"mamba_backend": "flashinfer"},
        {"attention_config": {"backend": "auto"}},
        {"structured_outputs_config": {"backend": "xgrammar"}},
    ],
)
def test_what_the_configuration_reads_passes(engine: dict[str, Any]) -> None:
    planned(_stack(engine, "2.60.0"))


@pytest.mark.parametrize("ray", ["2.55.1", "2.59.0", "2.60.0"])
@pytest.mark.parametrize(
    "engine",
    [
        {
            "kv_transfer_config": {
                "kv_connector": "OffloadingConnector",
                "kv_role": "kv_both",
                "kv_connector_extra_config": {"cpu_bytes_to_use": 10_000_000_000, "block_size": 64},
            }
        },
        {"compilation_config": {"inductor_compile_config": {"max_autotune": True}}},
        {"compilation_config": {"inductor_passes": {"mine": "a.b.c"}}},
    ],
    ids=["connector", "inductor", "passes"],
)
def test_a_mapping_that_is_no_configuration_takes_any_field(
    engine: dict[str, Any], ray: str
) -> None:
    planned(_stack(engine, ray))


def test_a_field_of_another_type_in_an_older_release_stops_there() -> None:
    engine = {"kv_events_config": {"buffer_steps": "many"}}
    assert "is not a whole number" in sentences(_stack(engine, "2.49.1"))[0]


def test_a_value_of_a_newer_release_names_that_release() -> None:
    engine = {"attention_config": {"flash_attn_version": 4}}
    (said,) = sentences(_stack(engine, "2.54.1"))
    assert "Use versions.ray: 2.55.1, whose vLLM has it" in said


def test_the_older_release_drops_an_unknown_field_of_an_inner_configuration() -> None:
    engine = {"compilation_config": {"pass_config": {"no_such_field": 1}}}
    planned(_stack(engine, "2.51.2"))
