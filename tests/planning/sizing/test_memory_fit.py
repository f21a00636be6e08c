"""Memory in whole stacks: real misconfigurations and their near misses, margins, and remedies.

The cases are from public issue threads, which are their sources. Each `near miss` differs from
its case in one point and must pass.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from models.catalog import llms
from models.problems import Severity, StackError
from models.reading import read_stack
from planning import GIB, ModelPlan, Plan, make_plan
from tests.planning.stacks import TOKEN_KEY, Values, stack

POOLS = ("t4", "l4", "l4-x2", "a100-80gb", "a100-80gb-x2")
# Qwen1.5-7B-Chat: as wide as Llama-2-7B, and every head has its own keys and values.
QWEN15_7B = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 151936,
    "max_position_embeddings": 32768,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}


OLDER: Values = {"versions": {"ray": "2.49.1"}}


def plan_of(*models: Values, directory: Path = Path(), pools: Any = POOLS, **keys: Any) -> Plan:
    keys = {"versions": {"ray": "2.49.1"}, **keys}
    values = stack(models, list(pools), token=True, **keys)
    return make_plan(read_stack("test", values, frozenset({TOKEN_KEY}), directory))


def model_of(*models: Values, **keys: Any) -> ModelPlan:
    return plan_of(*models, **keys).models[0]


def stopped(*models: Values, **keys: Any) -> str:
    """The one sentence that stops a stack."""
    with pytest.raises(StackError) as caught:
        plan_of(*models, **keys)
    (problem,) = caught.value.problems
    assert problem.rule == "memory-fit"
    return problem.sentence()


def rules(plan: Plan) -> set[str]:
    return {warning.rule for warning in plan.warnings}


# Misconfigurations and near misses


def test_all_experts_count_not_only_the_active_ones() -> None:
    """https://github.com/vllm-project/vllm/issues/23050"""
    case = {"model": "qwen3-30b-a3b", "contextLength": 32768}
    assert "56.9 of weights" in stopped({**case, "gpu": "l4"})
    assert model_of({**case, "gpu": "a100-80gb"}).fit is not None


def test_a_model_without_grouped_queries_needs_sixteen_gib_for_32k(tmp_path: Path) -> None:
    """https://github.com/QwenLM/Qwen3/issues/295"""
    (tmp_path / "config.json").write_text(json.dumps(QWEN15_7B), "utf-8")
    case = {
        "source": "Qwen/Qwen1.5-7B-Chat",
        "configFile": "config.json",
        "weightGib": 14.38,
        "gpu": "l4",
        "contextLength": 32768,
    }
    assert "needs 16.0 GiB of KV cache per sequence" in stopped(case, directory=tmp_path)
    near_miss = {"model": "qwen2.5-7b-instruct", "gpu": "l4", "contextLength": 32768}
    assert model_of(near_miss).max_model_len == 32768


def test_seven_billion_16_bit_weights_leave_a_t4_no_room() -> None:
    """https://github.com/vllm-project/vllm/issues/2418"""
    case = {"model": "llama-2-7b-chat", "contextLength": 4096}
    assert "12.5 of weights" in stopped({**case, "gpu": "t4", "dtype": "float16"})
    assert model_of({**case, "gpu": "l4"}).max_model_len == 4096


def test_a_utilization_below_the_weights_is_stopped() -> None:
    """https://github.com/vllm-project/vllm/issues/10439"""
    case: Values = {"model": "llama-3.2-1b-instruct", "gpu": "t4", "contextLength": 4096}
    stopped({**case, "engine": {"gpu_memory_utilization": 0.2}})
    assert model_of({**case, "engine": {"gpu_memory_utilization": 0.9}}).fit is not None


def test_the_70b_model_in_fp8_that_did_not_start_on_one_h100(tmp_path: Path) -> None:
    """https://github.com/llm-d/llm-d-benchmark/issues/621: -1.44 GiB were left for KV cache."""
    architecture = llms()["llama-3.3-70b-instruct"].architecture
    config = {
        "architectures": ["LlamaForCausalLM"],
        **architecture.model_dump(
            include={
                "model_type",
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "num_key_value_heads",
                "vocab_size",
                "max_position_embeddings",
                "torch_dtype",
                "tie_word_embeddings",
            }
        ),
    }
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    case = {
        "source": "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic",
        "configFile": "config.json",
        "weightGib": 67.69,
        "contextLength": 16000,
        "engine": {"max_num_seqs": 1024},
    }
    pools = [{"tier": "h100-80gb", "spot": True}, {"tier": "h100-80gb-x2", "spot": True}]
    stopped({**case, "gpu": "h100-80gb-spot"}, directory=tmp_path, pools=pools)
    near_miss = {**case, "gpu": "h100-80gb-x2-spot"}
    assert model_of(near_miss, directory=tmp_path, pools=pools).tensor_parallel_size == 2


# The margin of the estimate


# The batch is stated, so planning does not look for one that leaves more memory.
BATCH = {"max_num_seqs": 64, "max_num_batched_tokens": 4096}
EIGHT_B: Values = {"model": "llama-3.1-8b-instruct", "engine": BATCH}


def at_context(tokens: int) -> Plan:
    return plan_of({**EIGHT_B, "gpu": "l4", "contextLength": tokens})


def longest_and_sure() -> tuple[int, int]:
    """The longest context that fits, and the longest without a warning, on an L4."""
    fit = at_context(8192).models[0].fit
    assert fit is not None
    return fit.longest_context, fit.sure_context


def test_a_context_at_the_edge_warns_on_both_sides() -> None:
    longest, sure = longest_and_sure()
    assert sure < longest
    for tokens in (longest - 16, longest + 16):
        plan = at_context(tokens)
        assert "memory-doubt" in rules(plan)
        (fit,) = [model.fit for model in plan.models]
        assert fit is not None
        assert fit.doubtful


def test_a_clear_fit_and_a_clear_miss_are_reported_without_doubt() -> None:
    longest, sure = longest_and_sure()
    assert "memory-doubt" not in rules(at_context(sure - 1024))
    miss = {**EIGHT_B, "gpu": "l4", "contextLength": longest + 8192}
    assert f"Use at most {sure // 1024 * 1024}" in stopped(miss)


def test_the_doubt_names_a_context_that_is_sure() -> None:
    longest, _ = longest_and_sure()
    (warning,) = [w for w in at_context(longest - 16).warnings if w.rule == "memory-doubt"]
    assert warning.severity is Severity.WARN
    offered = re.search(r"Use at most (\d+) to be sure", warning.sentence())
    assert offered is not None
    assert "memory-doubt" not in rules(at_context(int(offered[1])))


def test_a_derived_context_is_shortened_out_of_doubt() -> None:
    """A context that was not requested is no reason for a warning."""
    for name in ("llama-3.1-8b-instruct", "qwen2.5-7b-instruct", "phi-4", "qwen2.5-32b-instruct"):
        plan = plan_of({"model": name}, defaults={"contextLength": 131072})
        assert "memory-doubt" not in rules(plan), name


def test_a_pool_without_doubt_is_preferred_to_a_cheaper_one() -> None:
    longest, _ = longest_and_sure()
    entry = {**EIGHT_B, "contextLength": longest - 16}
    plan = plan_of(entry, pools=["l4", "l4-x2"])
    assert plan.models[0].pool == "l4-x2"
    assert "memory-doubt" not in rules(plan)
    alone = plan_of(entry, pools=["l4"])
    assert alone.models[0].pool == "l4"
    assert "memory-doubt" in rules(alone)


# Remedies


def remedy_of(sentence: str) -> str:
    return sentence.rsplit(". Use ", 1)[1].rstrip(".")


def test_the_offered_context_fits_without_doubt() -> None:
    entry: Values = {"model": "llama-3.1-8b-instruct", "gpu": "l4", "contextLength": 65536}
    offered = re.match(r"at most (\d+)", remedy_of(stopped(entry)))
    assert offered is not None
    plan = plan_of({**entry, "contextLength": int(offered[1])})
    assert "memory-doubt" not in rules(plan)


@pytest.mark.parametrize(
    ("model", "context"),
    [
        ("phi-3.5-mini-instruct", 49152),  # its config.json states a window, so V0 splits nothing
        ("qwen3-4b", 40960),  # V0 splits such prompts, and takes those up to 32768 tokens whole
    ],
)
def test_the_offered_context_fits_where_prompts_are_taken_whole(model: str, context: int) -> None:
    entry: Values = {"model": model, "gpu": "t4", "contextLength": context}
    offered = re.match(r"at most (\d+)", remedy_of(stopped(entry)))
    assert offered is not None
    tokens = int(offered[1])
    assert "memory-doubt" not in rules(plan_of({**entry, "contextLength": tokens}))
    # the next step up is no longer certain to fit
    assert "memory-doubt" in rules(plan_of({**entry, "contextLength": tokens + 1024}))


def test_an_fp8_cache_is_offered_where_gpu_and_engine_have_it() -> None:
    entry: Values = {"model": "llama-3.1-8b-instruct", "gpu": "l4", "contextLength": 49152}
    newer = {"versions": {"ray": "2.51.2"}}
    assert "engine.kv_cache_dtype: fp8" in remedy_of(stopped(entry, **newer))
    assert model_of({**entry, "engine": {"kv_cache_dtype": "fp8"}}, **newer).fit is not None
    # vLLM 0.10 would fall back to its older engine on an L4, and an A100 has no fp8
    assert "fp8" not in remedy_of(stopped(entry, **OLDER))
    ampere: Values = {"model": "qwen3-32b", "gpu": "a100-80gb", "contextLength": 40960}
    assert "fp8" not in remedy_of(stopped(ampere, **newer))


def test_the_largest_smaller_batch_is_offered() -> None:
    entry: Values = {"model": "llama-3.1-8b-instruct", "gpu": "l4", "contextLength": 8192}
    sentence = stopped({**entry, "engine": {"max_num_seqs": 1024}}, **OLDER)
    assert "engine.max_num_seqs: 512" in remedy_of(sentence)
    assert model_of({**entry, "engine": {"max_num_seqs": 512}}, **OLDER).max_num_seqs == 512


def test_a_higher_utilization_is_offered_where_it_is_enough() -> None:
    entry: Values = {"model": "phi-4", "gpu": "a100-80gb", "contextLength": 16384}
    sentence = stopped({**entry, "engine": {"gpu_memory_utilization": 0.37}})
    assert "engine.gpu_memory_utilization: 0.9" in remedy_of(sentence).split(", or ")


def test_more_tensor_parallelism_is_offered_where_less_was_stated() -> None:
    entry: Values = {"model": "qwen2.5-14b-instruct", "gpu": "l4-x2", "contextLength": 8192}
    assert "tensorParallelSize: 2" in remedy_of(stopped({**entry, "tensorParallelSize": 1}))
    assert model_of({**entry, "tensorParallelSize": 2}).tensor_parallel_size == 2


def test_the_quantized_sibling_is_offered() -> None:
    sentence = stopped({"model": "qwen2.5-32b-instruct", "gpu": "l4-x2"})
    assert remedy_of(sentence).startswith("model: qwen2.5-32b-instruct-awq, or gpu: ")
    assert model_of({"model": "qwen2.5-32b-instruct-awq", "gpu": "l4-x2"}).fit is not None


def test_no_message_suggests_spot_nodes() -> None:
    pools = ["t4", {"tier": "l4", "spot": True}, "l4-x2"]
    sentence = stopped({"model": "llama-2-7b-chat", "gpu": "t4"}, pools=pools)
    assert remedy_of(sentence) == "gpu: l4 with `- l4` in ray-llm:gpuPools"


# Outside the memory budget


def utilization(value: float, model: str = "llama-3.1-8b-instruct", **engine: Any) -> Values:
    return {"model": model, "gpu": "l4", "engine": {"gpu_memory_utilization": value, **engine}}


def test_a_utilization_that_the_context_alone_exceeds_is_stopped() -> None:
    """vLLM: "Free memory on device ... is less than desired GPU memory utilization"."""
    with pytest.raises(StackError) as caught:
        plan_of(utilization(0.99))
    assert [problem.rule for problem in caught.value.problems] == ["utilization-high"]
    assert "utilization-high" not in rules(plan_of(utilization(0.95)))


def test_graphs_without_headroom_are_warned_of() -> None:
    plan = plan_of(utilization(0.97), **OLDER)
    assert "cuda-graph-headroom" in rules(plan)
    assert "cuda-graph-headroom" not in rules(plan_of(utilization(0.9), **OLDER))


def test_graphs_in_the_budget_need_no_headroom() -> None:
    plan = plan_of(utilization(0.95), versions={"ray": "2.60.0"})
    assert "cuda-graph-headroom" not in rules(plan)


def test_an_eager_engine_needs_no_room_for_graphs() -> None:
    plan = plan_of(utilization(0.97, enforce_eager=True), **OLDER)
    assert "cuda-graph-headroom" not in rules(plan)


def test_graphs_that_find_no_room_at_all_are_stopped() -> None:
    """70 billion parameters in small batches: graphs of many layers, but few activations."""
    entry = utilization(0.98, "qwen2.5-32b-instruct-awq", max_num_seqs=16)
    entry["engine"]["max_num_batched_tokens"] = 512
    entry["contextLength"] = 2048
    with pytest.raises(StackError) as caught:
        plan_of(entry, **OLDER)
    assert "cuda-graph-headroom" in {problem.rule for problem in caught.value.problems}


@pytest.mark.parametrize("name", ["qwen2.5-7b-instruct", "llama-3.1-8b-instruct", "phi-4"])
def test_the_memory_profile_is_never_warned_of(name: str) -> None:
    plan = plan_of({"model": name, "profile": "memory"})
    assert not rules(plan) & {"memory-doubt", "cuda-graph-headroom", "utilization-high"}


def test_graphs_of_ones_own_choice_are_not_guessed_at() -> None:
    chosen = {"compilation_config": {"cudagraph_capture_sizes": [1, 2, 4]}}
    newer = {"versions": {"ray": "2.50.1"}}  # vLLM 0.10.0 cannot read the mapping
    entry = utilization(0.97, **chosen)
    assert "cuda-graph-headroom" not in rules(plan_of(entry, **newer))


# Engine arguments that change what has to fit


def test_offloaded_weights_need_no_gpu_memory() -> None:
    entry: Values = {"model": "qwen2.5-14b-instruct", "gpu": "l4", "contextLength": 4096}
    stopped(entry)
    with_offload = model_of({**entry, "engine": {"cpu_offload_gb": 14}}).fit
    assert with_offload is not None
    assert with_offload.weight_bytes / GIB == pytest.approx(27.5 - 14, abs=0.1)


def test_sliding_layers_keep_all_tokens_without_the_hybrid_manager() -> None:
    entry: Values = {"model": "gemma-2-9b-it", "gpu": "a100-80gb", "contextLength": 8192}
    entry["engine"] = {"max_num_batched_tokens": 2048}
    windowed = model_of(entry, **OLDER).fit
    entry["engine"] = {"disable_hybrid_kv_cache_manager": True, "max_num_batched_tokens": 2048}
    whole = model_of(entry, **OLDER).fit
    assert windowed is not None
    assert whole is not None
    assert windowed.kv_per_sequence_bytes < whole.kv_per_sequence_bytes
