"""The weights of one GPU: what tensor parallelism does not divide, and what loading adds."""

from typing import Any

import pytest

from models.catalog import llms
from planning import GIB, MemoryFit
from planning.sizing.memory.estimate import memory_fit, weight_bytes_per_gpu
from planning.sizing.memory.vllm_accounting import accounting
from tests.planning.sizing.test_memory import llm

HOPPER = (9, 0)


def weights(model: str, vllm: str = "0.19.0", **changes: Any) -> float:
    release = accounting(vllm, v0_engine=False)
    return weight_bytes_per_gpu(llm(model, accounting=release, **changes)) / GIB


@pytest.mark.parametrize(
    ("vllm", "changes", "logged"),
    [
        ("0.19.0", {"compute_capability": (8, 0)}, 13.72),
        ("0.15.0", {"compute_capability": HOPPER}, 13.47),
        ("0.10.2", {"compute_capability": HOPPER}, 13.72),
        ("0.19.0", {"compute_capability": HOPPER, "tensor_parallel_size": 2}, 7.01),
    ],
)
def test_shards_of_mxfp4_experts_are_rounded_to_the_kernels_tile(
    vllm: str, changes: dict[str, Any], logged: float
) -> None:
    assert weights("gpt-oss-20b", vllm, **changes) == pytest.approx(logged, abs=0.11)


def test_a_checkpoint_of_gpt_oss_is_padded_as_the_catalogue_has_it() -> None:
    from_files = weights("gpt-oss-20b", weight_bytes=llms()["gpt-oss-20b"].checkpoint_bytes)
    assert from_files == pytest.approx(weights("gpt-oss-20b"), abs=0.05)


def test_experts_in_16_bit_are_not_padded() -> None:
    wide = 42 * GIB
    assert weights("gpt-oss-20b", weight_bytes=wide) == pytest.approx(42, abs=0.1)


def test_mla_keeps_its_up_projections_twice_and_its_latents_whole() -> None:
    """DeepSeek-V2-Lite loads 0.17 GiB more than its checkpoint, and no less where it is divided."""
    total = llms()["deepseek-v2-lite-chat"].weight_bytes / GIB
    assert weights("deepseek-v2-lite-chat") - total == pytest.approx(0.17, abs=0.02)
    on_four = weights("deepseek-v2-lite-chat", tensor_parallel_size=4)
    assert on_four - total / 4 == pytest.approx(0.19, abs=0.02)


def test_gemma_3_has_a_rotary_table_for_each_kind_of_layer() -> None:
    row = llms()["gemma-3-1b-it"]
    table = row.architecture.max_position_embeddings * row.architecture.head_dim * 2
    more = weights("gemma-3-1b-it") * GIB - row.weight_bytes
    assert more == pytest.approx(2 * table + 0.03 * GIB, abs=2)


def fit(model: str, vllm: str = "0.10.0", **changes: Any) -> MemoryFit:
    return memory_fit(llm(model, accounting=accounting(vllm, v0_engine=False), **changes))


def test_eight_gpus_on_nvswitch_hold_more_than_two() -> None:
    two, eight = (
        fit("qwen3-32b", compute_capability=HOPPER, tensor_parallel_size=degree).runtime_bytes
        for degree in (2, 8)
    )
    assert two == int(0.6 * GIB)
    assert eight == int(2.3 * GIB)


def test_several_gpus_without_nvlink_hold_less_than_on_v0() -> None:
    inputs = {"tensor_parallel_size": 2, "compute_capability": (7, 5)}
    newer = fit("qwen3-8b", "0.22.0", **inputs).runtime_bytes
    older = memory_fit(llm("qwen3-8b", accounting=accounting("0.10.0", v0_engine=True), **inputs))
    assert newer < older.runtime_bytes


@pytest.mark.parametrize(("sequences", "sampling_decides"), [(1024, True), (8, False)])
def test_float32_doubles_a_step_and_widens_one_copy_of_the_logits(
    sequences: int, sampling_decides: bool
) -> None:
    half, full = (
        fit(
            "gemma-2-2b-it", "0.29.0", value_bytes=size, kv_value_bytes=size, max_num_seqs=sequences
        ).activation_bytes
        for size in (2, 4)
    )
    architecture = llms()["gemma-2-2b-it"].architecture
    logits = sequences * architecture.vocab_size
    hidden = 8192 * architecture.hidden_size
    step = 8192 * 3 * (architecture.intermediate_size + architecture.hidden_size)
    more = logits + hidden if sampling_decides else step
    assert full - half == pytest.approx(2 * more, abs=2)


def test_the_margin_is_wider_on_turing_and_where_graphs_are_charged() -> None:
    ampere, turing = (
        fit("qwen3-8b", "0.18.0", compute_capability=capability, enforce_eager=True).margin_bytes
        for capability in ((8, 0), (7, 5))
    )
    assert turing - ampere == int(0.1 * GIB)
    graphs = fit("qwen3-8b", "0.29.0")
    eager = fit("qwen3-8b", "0.29.0", enforce_eager=True)
    assert graphs.margin_bytes - eager.margin_bytes == int(0.25 * graphs.graph_bytes)
