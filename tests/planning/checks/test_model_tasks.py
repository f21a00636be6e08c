"""What a model is served for: how that is derived, what each release needs, what is refused."""

from typing import Any

import pytest

from manifests.serve_config import llm_config
from models.catalog import generation_arguments, ray_releases, releases_with, serving_arguments
from models.catalog.tasks import task_arguments
from models.catalog.vllm_release import engine_arguments, vllm_versions
from models.tasks import Task
from planning.sizing.task import derived_task
from tests.planning.small_stacks import planned, stops


def kwargs(model: dict[str, Any], ray: str, pool: str = "l4") -> dict[str, Any]:
    plan = planned([model], gpuPools=[pool], versions={"ray": ray})
    arguments: dict[str, Any] = llm_config(plan, plan.models[0])["engine_kwargs"]
    return arguments


@pytest.mark.parametrize("ray", ray_releases())
def test_every_release_is_asked_for_embeddings_in_its_own_words(ray: str) -> None:
    arguments = kwargs({"model": "qwen3-embedding-0.6b"}, ray)
    asked = {name: arguments[name] for name in ("task", "runner") if name in arguments}
    assert asked == ({"task": "embed"} if ray == "2.49.1" else {"runner": "pooling"})


@pytest.mark.parametrize("vllm", vllm_versions())
@pytest.mark.parametrize("task", Task)
def test_the_arguments_that_ask_for_a_task_exist_in_their_release(vllm: str, task: Task) -> None:
    known = engine_arguments(vllm)
    for name, value in task_arguments(task, vllm).items():
        choices = known[name].choices
        assert choices is not None
        assert value in choices


@pytest.mark.parametrize("name", generation_arguments())
def test_arguments_about_generated_text_exist_in_some_release(name: str) -> None:
    assert any(
        name in {**engine_arguments(vllm), **serving_arguments(vllm)} for vllm in vllm_versions()
    )


def test_a_model_that_generates_is_asked_for_nothing() -> None:
    arguments = kwargs({"model": "qwen3-0.6b"}, "2.54.1")
    assert not arguments.keys() & {"task", "runner", "convert", "hf_overrides"}


def test_what_the_entry_says_itself_is_not_said_twice() -> None:
    stated = {"model": "qwen3-embedding-0.6b", "engine": {"convert": "embed"}}
    arguments = kwargs(stated, "2.54.1")
    assert arguments["convert"] == "embed"
    assert "runner" not in arguments


def test_a_reranker_of_the_catalogue_brings_what_its_head_is_made_of() -> None:
    arguments = kwargs({"model": "qwen3-reranker-0.6b"}, "2.54.1")
    assert arguments["hf_overrides"]["classifier_from_token"] == ["no", "yes"]
    assert arguments["runner"] == "pooling"


@pytest.mark.parametrize(
    ("source", "task"),
    [
        ("Qwen/Qwen3-Embedding-8B", Task.EMBED),
        ("acme/text-embed-v2", Task.EMBED),
        ("Qwen/Qwen3-Reranker-4B", Task.SCORE),
        ("acme/embedded-linux-expert", Task.GENERATE),
        ("acme/embeddings/chat", Task.GENERATE),
        ("Qwen/Qwen3-8B", Task.GENERATE),
    ],
)
def test_a_name_says_what_the_class_does_not(source: str, task: Task) -> None:
    assert derived_task(source, None, {}) is task


def test_the_runner_alone_means_embeddings() -> None:
    assert derived_task("acme/model", None, {"runner": "pooling"}) is Task.EMBED
    classes = {"hf_overrides": {"architectures": ["Qwen3ForSequenceClassification"]}}
    assert derived_task("acme/model", None, {"runner": "pooling", **classes}) is Task.SCORE


def test_a_reranker_stops_where_ray_has_no_path_and_the_way_out_has() -> None:
    (problem,) = stops(["bge-reranker-v2-m3"], gpuPools=["l4"], versions={"ray": "2.49.1"})
    assert problem.rule == "task-without-path"
    assert "BAAI/bge-reranker-v2-m3 scores, which has no path in Ray Serve LLM 2.49.1" in (
        problem.sentence()
    )
    assert "came with Ray 2.50.1. Use versions.ray: 2.60.0" in problem.sentence()
    assert releases_with(Task.SCORE)[0] == "2.50.1"


def test_an_embedding_model_needs_no_logits_and_no_whole_graphs() -> None:
    memory = {}
    for task in ("generate", "embed"):
        model = {"model": "qwen3-0.6b", "task": task, "engine": {"max_num_seqs": 256}}
        fit = planned([model], gpuPools=["l4"], versions={"ray": "2.54.1"}).models[0].fit
        assert fit is not None
        memory[task] = fit
    assert memory["embed"].activation_bytes < memory["generate"].activation_bytes
    assert memory["embed"].graph_bytes < memory["generate"].graph_bytes
    # The cache of a decoder stays as vLLM makes it.
    assert memory["embed"].kv_per_sequence_bytes == memory["generate"].kv_per_sequence_bytes


@pytest.mark.parametrize(("ray", "cached"), [("2.49.1", True), ("2.50.1", False)])
def test_only_v0_keeps_the_keys_of_an_encoder(ray: str, cached: bool) -> None:
    model = planned(["bge-m3"], gpuPools=["l4"], versions={"ray": ray}).models[0]
    assert model.fit is not None
    assert model.v0_engine is cached
    assert (model.fit.kv_per_sequence_bytes > 0) is cached
    assert model.fit.fits
    assert not model.asks_prefix_caching


def test_an_encoder_takes_a_prompt_in_one_step() -> None:
    entry = {"model": "bge-m3", "profile": "latency"}  # 2048 tokens a step
    model = planned([entry], gpuPools=["l4"], versions={"ray": "2.54.1"}).models[0]
    assert model.max_model_len == 8192
    assert model.max_num_batched_tokens == 8192


@pytest.mark.parametrize(
    ("engine", "tokens"), [({}, 2048), ({"pooler_config": {"pooling_type": "MEAN"}}, 8192)]
)
def test_a_decoder_does_so_only_if_it_pools_more_than_the_last_token(
    engine: dict[str, Any], tokens: int
) -> None:
    entry = {"model": "qwen3-embedding-0.6b", "profile": "latency", "engine": engine}
    model = planned([entry], gpuPools=["l4"], versions={"ray": "2.54.1"}).models[0]
    assert model.max_num_batched_tokens == tokens


def test_a_checkpoint_in_32_bit_is_loaded_in_float16() -> None:
    model = planned(["bge-m3"], gpuPools=["l4"], versions={"ray": "2.54.1"}).models[0]
    assert model.dtype == "float16"


def test_a_token_classifier_has_no_path() -> None:
    model = {"model": "qwen3-0.6b", "engine": {"convert": "reward"}}
    (problem,) = stops([model], gpuPools=["l4"], versions={"ray": "2.51.2"})
    assert problem.rule == "engine-argument-owned"
    assert "set task in the entry" in problem.sentence()


@pytest.mark.parametrize("stated", [{"task": "embed"}, {"engine": {"convert": "embed"}}])
def test_a_reranker_is_not_asked_to_embed(stated: dict[str, Any]) -> None:
    entry = {"model": "bge-reranker-v2-m3", "gpu": "l4", **stated}
    (problem,) = stops([entry], gpuPools=["l4"], versions={"ray": "2.60.0"})
    assert problem.rule == "task-not-of-model"
    assert "score" in str(problem)
