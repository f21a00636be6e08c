"""The memory formula: hand-computed numbers for each kind of architecture, and its properties."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.architecture import Attention, AttentionKind, LlmArchitecture
from models.catalog import llms
from planning import GIB, MemoryFit
from planning.sizing.memory.activations import activation_bytes
from planning.sizing.memory.estimate import graph_bytes, memory_fit, weight_bytes_per_gpu
from planning.sizing.memory.kv_cache import BLOCK_TOKENS, kv_bytes, longest_context
from planning.sizing.memory.vllm_accounting import MemoryInputs, accounting

KIB = 1024
MIB = 1024**2


def load_of(architecture: LlmArchitecture, **changes: Any) -> MemoryInputs:
    """The inputs for this architecture on one L4 with vLLM 0.10, with changes."""
    inputs = MemoryInputs(
        architecture=architecture,
        weight_bytes=2 * GIB,
        kv_value_bytes=2,
        max_model_len=min(8192, architecture.longest_context),
        max_num_seqs=128,
        max_num_batched_tokens=8192,
        tensor_parallel_size=1,
        pipeline_parallel_size=1,
        gpu_memory_utilization=0.9,
        gpu_memory_gib=22.0,
        compute_capability=(8, 9),
        enforce_eager=False,
        accounting=accounting("0.10.0", v0_engine=False),
    )
    return replace(inputs, **changes)


def llm(name: str, **changes: Any) -> MemoryInputs:
    """The inputs for a model of the catalogue, with its weights."""
    row = llms()[name]
    return load_of(row.architecture, **{"weight_bytes": row.weight_bytes, **changes})


# KV cache of one sequence, bytes computed by hand


@pytest.mark.parametrize(
    ("name", "tokens", "changes", "expected"),
    [
        # 32 layers x 2 x 8 heads x 128 x 2 bytes = 128 KiB per token
        ("llama-3.1-8b-instruct", 8192, {}, 1 * GIB),
        ("llama-3.1-8b-instruct", 8192, {"tensor_parallel_size": 2}, GIB // 2),
        # 16 GPUs: each keeps one of the 8 heads, so every head is kept twice
        ("llama-3.1-8b-instruct", 8192, {"tensor_parallel_size": 16}, GIB // 8),
        ("llama-3.1-8b-instruct", 8192, {"kv_value_bytes": 1}, GIB // 2),
        # stages of 11, 11 and 10 layers: the largest counts
        ("llama-3.1-8b-instruct", 8192, {"pipeline_parallel_size": 3}, 11 * 32 * MIB),
        # whole blocks: 17 tokens take two blocks of 16
        ("llama-3.1-8b-instruct", 17, {}, 32 * 128 * KIB),
        # 32 heads without grouping: 512 KiB per token
        ("llama-2-7b-chat", 4096, {}, 2 * GIB),
        # one shared head: falcon 7b, 32 layers x 2 x 64 x 2 bytes = 8 KiB
        ("falcon-7b-instruct", 2048, {}, 16 * MIB),
        # MLA: 27 layers x (512 + 64) x 2 bytes; every GPU keeps the whole latent
        ("deepseek-v2-lite-chat", 8192, {}, 27 * 576 * 2 * 8192),
        ("deepseek-v2-lite-chat", 8192, {"tensor_parallel_size": 4}, 27 * 576 * 2 * 8192),
        # half of 36 layers slide over 128 tokens: 1024 full blocks, (127 + 2048) / 16 + 1 = 137
        (
            "gpt-oss-120b",
            16384,
            {"max_num_batched_tokens": 2048},
            18 * (1024 + 137) * 16 * 2 * 8 * 64 * 2,
        ),
    ],
)
def test_kv_cache_of_each_kind(
    name: str, tokens: int, changes: dict[str, Any], expected: int
) -> None:
    assert kv_bytes(llm(name, **changes), tokens) == expected


def test_v0_keeps_every_token_of_sliding_layers() -> None:
    inputs = llm("gpt-oss-120b", accounting=accounting("0.10.0", v0_engine=True))
    assert kv_bytes(inputs, 16384) == 36 * 1024 * 16 * 2 * 8 * 64 * 2


def test_groups_of_sliding_layers_are_padded() -> None:
    """gemma-3-1b: 4 full and 22 sliding layers make groups of 4: one and, padded, six."""
    inputs = llm("gemma-3-1b-it", max_num_batched_tokens=2048)
    architecture = inputs.architecture
    assert (architecture.num_hidden_layers, architecture.sliding_window_layers) == (26, 22)
    window = math.ceil((512 - 1 + 2048) / 16) + 1
    block = 16 * 2 * architecture.num_key_value_heads * architecture.head_dim * 2
    assert kv_bytes(inputs, 16384) == 4 * (1024 + 6 * window) * block


def test_a_model_whose_layers_all_slide_keeps_its_window_only() -> None:
    architecture = llms()["mistral-7b-instruct-v0.3"].architecture.model_copy(
        update={"sliding_window": 4096, "sliding_window_layers": 32}
    )
    inputs = load_of(architecture, max_num_batched_tokens=2048)
    blocks = math.ceil((4096 - 1 + 2048) / 16) + 1
    assert kv_bytes(inputs, 32768) == 32 * blocks * 16 * 2 * 8 * 128 * 2


# Weights


def test_weights_are_divided_by_tensor_parallelism() -> None:
    one = weight_bytes_per_gpu(llm("llama-3.1-70b-instruct"))
    two = weight_bytes_per_gpu(llm("llama-3.1-70b-instruct", tensor_parallel_size=2))
    assert one / GIB == pytest.approx(131.4 + 0.06, abs=0.05)
    assert two / GIB == pytest.approx(65.7 + 0.06, abs=0.05)


@pytest.mark.parametrize(("stages", "logged_gib"), [(2, 7.51), (4, 4.26)])
def test_the_largest_stage_holds_layers_and_one_table(stages: int, logged_gib: float) -> None:
    inputs = llm("llama-3.1-8b-instruct", pipeline_parallel_size=stages)
    assert weight_bytes_per_gpu(inputs) / GIB == pytest.approx(logged_gib, abs=0.05)


def test_a_tied_table_is_on_the_first_and_on_the_last_stage() -> None:
    """llama-3.2-1b: 2.30 GiB, 0.49 of them the one table that both ends need."""
    inputs = llm("llama-3.2-1b-instruct", pipeline_parallel_size=2)
    layers = (2.302 - 0.489) / 2
    assert weight_bytes_per_gpu(inputs) / GIB == pytest.approx(layers + 0.489, abs=0.07)


def test_packed_weights_take_marlins_overhead() -> None:
    plain = weight_bytes_per_gpu(llm("qwen2.5-32b-instruct-awq"))
    packed = weight_bytes_per_gpu(llm("qwen2.5-32b-instruct-awq", packed_weights=True))
    assert (packed - plain) / GIB == pytest.approx(0.162, abs=0.001)


# Activations


def test_a_wide_step_decides_the_peak_where_few_sequences_are_sampled() -> None:
    inputs = llm("llama-3.1-8b-instruct", max_num_seqs=16)
    step = 8192 * 2 * (3 * 14336 + 3 * 4096)
    assert activation_bytes(inputs) == int(0.1 * GIB) + step


def test_sampling_decides_the_peak_where_many_sequences_are_sampled() -> None:
    inputs = llm("llama-3.1-8b-instruct", max_num_seqs=1024)
    sampling = 8192 * 2 * 4096 + int(1024 * 128256 * 38.0)
    assert activation_bytes(inputs) == int(0.03 * GIB) + sampling


def test_newer_releases_sample_without_sorting() -> None:
    old, new = (
        activation_bytes(
            llm(
                "llama-3.1-8b-instruct",
                max_num_seqs=1024,
                accounting=accounting(vllm, v0_engine=False),
            )
        )
        for vllm in ("0.15.0", "0.18.0")
    )
    assert old / GIB == pytest.approx(4.8, abs=0.1)
    assert new / GIB == pytest.approx(1.9, abs=0.1)


def test_tensor_parallelism_divides_the_step_and_not_the_logits() -> None:
    wide = llm("llama-3.1-8b-instruct", max_num_seqs=16)
    many = llm("llama-3.1-8b-instruct", max_num_seqs=1024)
    assert activation_bytes(replace(wide, tensor_parallel_size=2)) < activation_bytes(wide)
    assert activation_bytes(replace(many, tensor_parallel_size=2)) == activation_bytes(many)


def test_experts_need_a_row_for_each_token_and_choice() -> None:
    inputs = llm(
        "qwen3-30b-a3b", max_num_seqs=1024, accounting=accounting("0.18.0", v0_engine=False)
    )
    workspace = 8192 * 8 * (2048 + 2048) * 2
    without = replace(
        inputs, architecture=inputs.architecture.model_copy(update={"num_experts": None})
    )
    assert activation_bytes(inputs) - activation_bytes(without) == workspace


def test_a_vision_tower_needs_its_own_peak() -> None:
    text = llms()["gemma-3-12b-it"].architecture.model_copy(update={"multimodal": False})
    inputs = llm("gemma-3-12b-it")
    assert (
        activation_bytes(inputs) - activation_bytes(replace(inputs, architecture=text)) > GIB // 4
    )


# The runtime's memory and CUDA graphs


def test_an_eager_engine_captures_no_graphs() -> None:
    assert graph_bytes(llm("qwen2.5-7b-instruct", enforce_eager=True)) == 0


@pytest.mark.parametrize(
    ("vllm", "v0", "sequences", "sizes"),
    [
        ("0.10.0", True, 256, 35),  # "Capturing CUDA graph shapes: 35/35"
        ("0.10.0", False, 256, 67),  # 512, 504, ... 8, 4, 2, 1
        ("0.10.0", False, 16, 67),
        ("0.11.0", False, 64, 19),  # up to twice max_num_seqs
        ("0.18.0", False, 1024, 51),  # "PIECEWISE=51 (largest=512)"
        ("0.18.0", False, 16, 7),
    ],
)
def test_as_many_sizes_are_captured_as_vllm_logs(
    vllm: str, v0: bool, sequences: int, sizes: int
) -> None:
    release = accounting(vllm, v0_engine=v0)
    inputs = llm("qwen2.5-7b-instruct", accounting=release, max_num_seqs=sequences)
    assert release.graph_sizes(release.largest_graph(inputs)) == sizes


@pytest.mark.parametrize(
    ("vllm", "v0", "sequences", "sizes"),
    [
        ("0.10.0", False, 256, 0),
        ("0.11.0", False, 256, 35),  # "Capturing CUDA graphs (decode, FULL): 35/35"
        ("0.18.0", False, 1024, 51),  # "FULL=51 (largest=512)"
        ("0.18.0", True, 256, 0),
    ],
)
def test_decoding_steps_are_captured_whole_up_to_max_num_seqs(
    vllm: str, v0: bool, sequences: int, sizes: int
) -> None:
    release = accounting(vllm, v0_engine=v0)
    inputs = llm("qwen2.5-7b-instruct", accounting=release, max_num_seqs=sequences)
    assert release.graph_sizes(release.largest_full_graph(inputs)) == sizes


def test_gpt_oss_captures_steps_of_1024_tokens() -> None:
    """ "PIECEWISE=83 (largest=1024), FULL=83 (largest=1024)" in the log of gpt-oss-20b."""
    release = accounting("0.19.0", v0_engine=False)
    inputs = llm("gpt-oss-20b", accounting=release, max_num_seqs=1024)
    assert release.graph_sizes(release.largest_graph(inputs)) == 83
    assert release.graph_sizes(release.largest_full_graph(inputs)) == 83


def graphs_of(model: str, **changes: Any) -> int:
    release = accounting("0.19.0", v0_engine=False)
    usual: dict[str, Any] = {"compute_capability": (9, 0), "max_num_seqs": 1024}
    return graph_bytes(llm(model, accounting=release, **(usual | changes)))


def test_flash_attention_3_keeps_the_parts_of_a_decoding_step_in_32_bit() -> None:
    """262 MiB at 32 heads of 128, and half of it at tensor parallelism 2, in vLLM's debug log."""
    parts = 32 * 512 * 32 * 128 * 4
    on_hopper = graphs_of("llama-3.1-8b-instruct")
    assert on_hopper - graphs_of("llama-3.1-8b-instruct", compute_capability=(8, 9)) == parts
    two = {"tensor_parallel_size": 2}
    halved = graphs_of("llama-3.1-8b-instruct", **two)
    halved -= graphs_of("llama-3.1-8b-instruct", compute_capability=(8, 9), **two)
    assert halved == parts // 2


def test_mla_decodes_at_the_width_of_its_latent() -> None:
    parts = graphs_of("deepseek-v2-lite-chat")
    parts -= graphs_of("deepseek-v2-lite-chat", compute_capability=(8, 9))
    assert parts == 32 * 512 * 16 * 512 * 4


@pytest.mark.parametrize("changes", [{"value_bytes": 4}, {"compute_capability": (10, 0)}])
def test_other_attention_keeps_no_parts(changes: dict[str, Any]) -> None:
    smaller = graphs_of("llama-3.1-8b-instruct") - graphs_of("llama-3.1-8b-instruct", **changes)
    assert smaller > 0.15 * GIB


def test_gemma_3_has_no_flash_attention_beside_images() -> None:
    assert graphs_of("gemma-3-4b-it") == graphs_of("gemma-3-4b-it", compute_capability=(8, 9))
    assert graphs_of("gemma-3-1b-it") > graphs_of("gemma-3-1b-it", compute_capability=(8, 9))


def test_experts_capture_more_kernels() -> None:
    dense, experts = (
        graphs_of(model, compute_capability=(8, 9)) / llms()[model].architecture.num_hidden_layers
        for model in ("qwen3-32b", "deepseek-v2-lite-chat")
    )
    assert experts > 1.5 * dense


def test_graphs_are_in_the_budget_from_0_21_on() -> None:
    old, new = (
        memory_fit(llm("qwen2.5-7b-instruct", accounting=accounting(vllm, v0_engine=False)))
        for vllm in ("0.18.0", "0.29.0")
    )
    assert not old.graphs_in_budget
    assert new.graphs_in_budget
    assert old.kv_available_bytes - new.kv_available_bytes == new.graph_bytes


def test_several_gpus_take_more_runtime_than_one() -> None:
    one = memory_fit(llm("llama-3.1-8b-instruct"))
    two = memory_fit(llm("llama-3.1-8b-instruct", tensor_parallel_size=2))
    assert one.runtime_bytes < two.runtime_bytes


# Properties

attentions = st.sampled_from(
    [
        Attention(kind=AttentionKind.GQA),
        Attention(kind=AttentionKind.MLA, kv_lora_rank=512, qk_rope_head_dim=64),
    ]
)


@st.composite
def architectures(draw: st.DrawFn) -> LlmArchitecture:
    layers = draw(st.integers(1, 100))
    kv_heads = draw(st.sampled_from([1, 2, 4, 8, 32]))
    experts = draw(st.sampled_from([None, 8, 128]))
    sliding = draw(st.one_of(st.none(), st.integers(1, layers)))
    return LlmArchitecture(
        model_type="any",
        num_hidden_layers=layers,
        hidden_size=draw(st.integers(64, 16384)),
        intermediate_size=draw(st.integers(64, 65536)),
        num_attention_heads=kv_heads * draw(st.integers(1, 8)),
        num_key_value_heads=kv_heads,
        head_dim=draw(st.sampled_from([64, 128, 256])),
        vocab_size=draw(st.integers(1000, 300_000)),
        max_position_embeddings=draw(st.integers(16, 200_000)),
        torch_dtype="bfloat16",
        tie_word_embeddings=draw(st.booleans()),
        attention=draw(attentions),
        num_experts=experts,
        num_experts_per_tok=draw(st.integers(1, 8)) if experts else None,
        moe_intermediate_size=draw(st.integers(64, 4096)) if experts else None,
        sliding_window=draw(st.integers(1, 8192)) if sliding else None,
        sliding_window_layers=sliding,
        multimodal=draw(st.booleans()),
    )


@st.composite
def loads(draw: st.DrawFn) -> MemoryInputs:
    architecture = draw(architectures())
    return load_of(
        architecture,
        weight_bytes=draw(st.integers(1, 500 * GIB)),
        value_bytes=draw(st.sampled_from([2, 4])),
        kv_value_bytes=draw(st.sampled_from([1, 2, 4])),
        max_model_len=draw(st.integers(1, architecture.longest_context)),
        max_num_seqs=draw(st.integers(1, 2048)),
        max_num_batched_tokens=draw(st.integers(1, 65536)),
        tensor_parallel_size=draw(st.sampled_from([1, 2, 4, 8])),
        pipeline_parallel_size=draw(st.integers(1, architecture.num_hidden_layers)),
        gpu_memory_utilization=draw(st.floats(0.05, 1.0)),
        gpu_memory_gib=draw(st.floats(8.0, 200.0)),
        enforce_eager=draw(st.booleans()),
        accounting=accounting(
            draw(st.sampled_from(["0.10.0", "0.11.0", "0.15.0", "0.18.0", "0.29.0"])),
            v0_engine=draw(st.booleans()),
        ),
    )


def parts(fit: MemoryFit) -> list[int]:
    return [
        fit.weight_bytes,
        fit.activation_bytes,
        fit.runtime_bytes,
        fit.graph_bytes,
        fit.kv_per_sequence_bytes,
        fit.margin_bytes,
        fit.outside_bytes,
    ]


@given(loads())
def test_no_part_is_negative_and_the_parts_make_the_budget(inputs: MemoryInputs) -> None:
    fit = memory_fit(inputs)
    assert min(parts(fit)) >= 0
    spent = fit.weight_bytes + fit.activation_bytes + fit.runtime_bytes
    spent += fit.graph_bytes if fit.graphs_in_budget else 0
    assert spent + fit.kv_available_bytes == fit.budget_bytes
    assert fit.concurrent_sequences >= 0
    assert 0 <= fit.sure_context <= fit.longest_context <= inputs.architecture.longest_context


@given(loads(), st.integers(1, 200_000), st.integers(0, 5000))
def test_more_tokens_never_need_less_cache(inputs: MemoryInputs, tokens: int, more: int) -> None:
    assert 0 < kv_bytes(inputs, tokens) <= kv_bytes(inputs, tokens + more)


@given(loads())
def test_the_longest_context_is_the_boundary(inputs: MemoryInputs) -> None:
    available = memory_fit(inputs).kv_available_bytes
    longest = longest_context(inputs, available)
    if longest:
        assert kv_bytes(inputs, longest) <= available
    if longest < inputs.architecture.longest_context:
        beyond = min(longest + BLOCK_TOKENS, inputs.architecture.longest_context)
        assert kv_bytes(inputs, beyond) > available


@given(loads())
def test_more_tensor_parallelism_never_means_more_a_gpu(inputs: MemoryInputs) -> None:
    double = replace(inputs, tensor_parallel_size=2 * inputs.tensor_parallel_size)
    assert weight_bytes_per_gpu(double) <= weight_bytes_per_gpu(inputs)
    assert kv_bytes(double, inputs.max_model_len) <= kv_bytes(inputs, inputs.max_model_len)
    assert activation_bytes(double) <= activation_bytes(inputs)


@given(loads(), st.integers(1, 4096))
def test_smaller_batches_never_need_more(inputs: MemoryInputs, sequences: int) -> None:
    fewer = replace(inputs, max_num_seqs=min(sequences, inputs.max_num_seqs))
    assert memory_fit(fewer).kv_available_bytes >= memory_fit(inputs).kv_available_bytes


@given(loads())
def test_fitting_doubt_and_missing_are_distinguished(inputs: MemoryInputs) -> None:
    fit = memory_fit(inputs)
    assert fit.may_fit == (fit.fits or fit.doubtful)
    if fit.left_bytes >= fit.margin_bytes:
        assert fit.fits
        assert not fit.doubtful
    if fit.left_bytes <= -fit.margin_bytes or fit.kv_available_bytes <= 0:
        assert not fit.may_fit
