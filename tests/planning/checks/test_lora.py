"""LoRA adapters in a bucket: what is written for them, what they take, what is refused."""

from typing import Any

import pytest

from manifests.serve_config import llm_config
from models.catalog import llms, lora_architectures, ray_releases
from planning import ModelPlan, Plan
from planning.sizing.memory.adapters import lora_bytes, lora_slots
from planning.sizing.memory.vllm_accounting import MemoryInputs, accounting
from tests.planning.small_stacks import planned, rules, stops

FOLDER = "gs://acme-adapters/qwen"
LORA = {"path": FOLDER}


def plan_of(ray: str = "2.54.1", **fields: Any) -> tuple[Plan, ModelPlan]:
    entry = {"model": "qwen2.5-7b-instruct", "lora": LORA, **fields}
    plan = planned([entry], gpuPools=["l4"], versions={"ray": ray})
    return plan, plan.models[0]


@pytest.mark.parametrize("ray", ray_releases())
def test_a_folder_is_all_that_adapters_need(ray: str) -> None:
    plan, model = plan_of(ray)
    config = llm_config(plan, model)
    assert config["lora_config"] == {
        "dynamic_lora_loading_path": FOLDER,
        "max_num_adapters_per_replica": 16,
    }
    kwargs = config["engine_kwargs"]
    assert (kwargs["enable_lora"], kwargs["max_loras"], kwargs["max_cpu_loras"]) == (True, 4, 16)


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("gs://acme-adapters", "gs://acme-adapters"),
        ("gs://acme-adapters/", "gs://acme-adapters"),
        ("gs://acme-adapters/a/b/", "gs://acme-adapters/a/b"),
        ("gs://acme-adapters/v1:a b", "gs://acme-adapters/v1:a b"),
        ("s3://anonymous@acme/sql", "s3://anonymous@acme/sql"),
        ("s3://Acme_Old/sql", "s3://Acme_Old/sql"),
    ],
)
@pytest.mark.parametrize("ray", ["2.49.1", "2.60.0"])
def test_every_folder_that_ray_reads_is_taken(ray: str, path: str, written: str) -> None:
    plan, model = plan_of(ray, lora={"path": path})
    assert llm_config(plan, model)["lora_config"]["dynamic_lora_loading_path"] == written


def test_a_model_without_adapters_has_no_lora_config() -> None:
    plan = planned(["qwen2.5-7b-instruct"], gpuPools=["l4"], versions={"ray": "2.54.1"})
    config = llm_config(plan, plan.models[0])
    assert "lora_config" not in config
    assert "enable_lora" not in config["engine_kwargs"]


def test_stated_slots_win_and_as_many_are_kept_on_the_host() -> None:
    _, model = plan_of(engine={"max_loras": 20})
    assert (model.engine["max_loras"], model.engine["max_cpu_loras"]) == (20, 20)


def inputs(model: str, engine: dict[str, Any], vllm: str = "0.10.0", degree: int = 1) -> Any:
    row = llms()[model]
    return MemoryInputs(
        architecture=row.architecture,
        weight_bytes=row.weight_bytes,
        kv_value_bytes=2,
        max_model_len=8192,
        max_num_seqs=128,
        max_num_batched_tokens=8192,
        tensor_parallel_size=degree,
        pipeline_parallel_size=1,
        gpu_memory_utilization=0.9,
        gpu_memory_gib=22,
        compute_capability=(8, 9),
        enforce_eager=False,
        accounting=accounting(vllm, v0_engine=False),
        lora=lora_slots({"enable_lora": True, **engine}),
    )


def test_a_slot_is_as_large_as_an_adapter_of_all_projections() -> None:
    # PEFT counts 41,943,040 parameters for Llama 3.1 8B with rank 16 on all seven projections.
    of_projections = 41_943_040 * 2
    of_tables = 2 * (128_256 + 256 + 4096) * 16 * 2
    slot = lora_bytes(inputs("llama-3.1-8b-instruct", {}))
    assert slot == of_projections + of_tables


def test_slots_grow_with_their_count_and_rank_and_shrink_with_gpus() -> None:
    one = lora_bytes(inputs("llama-3.1-8b-instruct", {}))
    more = {"max_loras": 3, "max_lora_rank": 32}
    assert lora_bytes(inputs("llama-3.1-8b-instruct", more)) == 6 * one
    divided = lora_bytes(inputs("llama-3.1-8b-instruct", {}, degree=2))
    assert one / 2 < divided < one  # one matrix of each pair is whole on every GPU


def test_experts_have_slots_where_vllm_adapts_them() -> None:
    before = lora_bytes(inputs("qwen3-30b-a3b", {}, "0.11.0"))
    since = lora_bytes(inputs("qwen3-30b-a3b", {}, "0.15.0"))
    assert since > 20 * before


def test_slots_are_counted_with_the_weights() -> None:
    without = planned(["qwen2.5-7b-instruct"], gpuPools=["l4"], versions={"ray": "2.54.1"})
    fit, plain = plan_of()[1].fit, without.models[0].fit
    assert fit is not None
    assert plain is not None
    assert fit.lora_bytes > 0
    assert fit.weight_bytes == plain.weight_bytes + fit.lora_bytes


@pytest.mark.parametrize("value", [0, -1, True, "4", None])
def test_a_count_that_is_none_is_left_to_other_checks(value: object) -> None:
    slots = lora_slots({"enable_lora": True, "max_loras": value})
    assert slots is not None
    assert slots.count == 1


def test_a_class_without_lora_stops_and_names_the_release_that_has_it() -> None:
    model = {"model": "gpt-oss-20b", "lora": LORA}
    (problem,) = stops([model], gpuPools=["l4"], versions={"ray": "2.51.2"})
    assert problem.rule == "lora-unsupported"
    assert "versions.ray: 2.60.0" in problem.sentence()


def test_the_class_that_a_model_is_converted_from_decides() -> None:
    assert "Qwen3ForSequenceClassification" not in lora_architectures("0.15.0")
    model = {"model": "qwen3-reranker-0.6b", "lora": LORA}
    assert planned([model], gpuPools=["l4"], versions={"ray": "2.54.1"}).models


def test_adapters_and_their_argument_turned_off_contradict_each_other() -> None:
    model = {"model": "qwen2.5-7b-instruct", "lora": LORA, "engine": {"enable_lora": False}}
    found = stops([model], gpuPools=["l4"], versions={"ray": "2.54.1"})
    assert rules(found) == {"contradiction"}


@pytest.mark.parametrize(
    "path",
    ["/adapters", "gs://", "gs://b/a", "http://acme/a"],
)
def test_what_is_no_folder_of_a_bucket_is_refused(path: str) -> None:
    model = {"model": "qwen2.5-7b-instruct", "lora": {"path": path}}
    (problem,) = stops([model], gpuPools=["l4"], versions={"ray": "2.54.1"})
    assert problem.rule == "invalid-value"
    assert "gs://<bucket>/<folder>" in problem.sentence()


@pytest.mark.parametrize("path", ["gs://acme", "gs://acme/a/", "s3://acme-eu.west/a/b"])
def test_a_folder_of_a_bucket_is_taken(path: str) -> None:
    _, model = plan_of(lora={"path": path})
    assert model.lora_path == path.rstrip("/")


@pytest.mark.parametrize(
    ("engine", "rule"),
    [({"max_lora_rank": 7}, "lora-rank"), ({"max_loras": 5, "max_cpu_loras": 3}, "lora-count")],
)
def test_the_folder_turns_the_checks_of_its_arguments_on(engine: dict[str, Any], rule: str) -> None:
    entry = {
        "model": "llama-3.1-8b-instruct",
        "gpu": "l4",
        "lora": {"path": "gs://bucket/adapters"},
    }
    found = stops(
        [{**entry, "engine": engine}],
        gpuPools=["l4"],
        huggingFaceToken="hf_test",
        versions={"ray": "2.49.1"},
    )
    assert rule in rules(found)
