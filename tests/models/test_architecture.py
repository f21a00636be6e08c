"""Reading config.json: every catalogue model, the quirks of model families, and bad input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from models.architecture import (
    Attention,
    AttentionKind,
    ConfigJsonError,
    LlmArchitecture,
    Quantization,
    architecture_from_config_json,
)
from models.architecture.class_defaults import class_defaults, left_to_class
from models.architecture.model_families import LEFT_TO_CLASS, OLDER_TYPES
from models.catalog import LlmRow, llms
from scripts.vllm_configs.config_files import common_fields, config_json

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
    "rope_scaling": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
}


def read(config: dict[str, Any]) -> tuple[LlmArchitecture, Quantization | None]:
    return architecture_from_config_json(json.dumps(config))


def config_of(row: LlmRow) -> dict[str, Any]:
    """The config.json of a row as its publisher writes it: not all that a class knows is said."""
    a = row.architecture
    config = config_json(row) or common_fields(a)
    config["rope_scaling"] = a.rope_scaling
    if a.head_dim * a.num_attention_heads == a.hidden_size:
        config.pop("head_dim", None)
    quirk = QUIRKS.get(a.model_type)
    if quirk:
        quirk(config, a)
    if row.quantization and row.quantization.method == "awq":
        config["quantization_config"] |= {"version": row.quantization.scheme}
    return config


def _qwen(config: dict[str, Any], a: LlmArchitecture) -> None:
    # The window is present but disabled.
    config |= {"sliding_window": a.max_position_embeddings // 2, "use_sliding_window": False}
    config["max_window_layers"] = a.num_hidden_layers // 2


def _qwen_moe(config: dict[str, Any], _: LlmArchitecture) -> None:
    config["sliding_window"] = None


def _mistral(config: dict[str, Any], a: LlmArchitecture) -> None:
    config["sliding_window"] = a.sliding_window


def _xlm_roberta(config: dict[str, Any], a: LlmArchitecture) -> None:
    # Positions start behind that of the padding token, which is 1.
    config |= {"max_position_embeddings": a.max_position_embeddings + 2, "pad_token_id": 1}
    if a.num_labels:
        config["id2label"] = {str(label): f"LABEL_{label}" for label in range(a.num_labels)}


def _vision_config(a: LlmArchitecture, depth: str, image_size: int | None) -> dict[str, Any]:
    assert a.vision is not None
    return {
        "hidden_size": a.vision.hidden_size,
        "intermediate_size": a.vision.intermediate_size,
        depth: a.vision.num_layers,
        "hidden_act": "silu" if a.vision.gated else "gelu",
        "patch_size": a.vision.patch_size,
        **({} if image_size is None else {"image_size": image_size}),
        "spatial_merge_size": 2,
    }


def _qwen2_5_vl(config: dict[str, Any], a: LlmArchitecture) -> None:
    config["rope_scaling"] = {"type": "mrope", "mrope_section": [16, 24, 24]}
    config["vision_config"] = _vision_config(a, "depth", None)


def _with_text_config(config: dict[str, Any], text_type: str) -> None:
    outer = {"model_type", "architectures"}
    text = {name: config.pop(name) for name in list(config) if name not in outer}
    config["text_config"] = {**text, "model_type": text_type}


def _qwen3_vl(config: dict[str, Any], a: LlmArchitecture) -> None:
    _with_text_config(config, "qwen3_vl_text")
    config["vision_config"] = _vision_config(a, "depth", None)


def _mistral3(config: dict[str, Any], a: LlmArchitecture) -> None:
    _with_text_config(config, "mistral")
    config["vision_config"] = _vision_config(a, "num_hidden_layers", 1540)


def _phi3(config: dict[str, Any], a: LlmArchitecture) -> None:
    config["sliding_window"] = a.sliding_window or 2 * a.max_position_embeddings


def _falcon(config: dict[str, Any], a: LlmArchitecture) -> None:
    if a.num_key_value_heads == 1:
        # falcon-7b's value is not the number that applies.
        config["num_kv_heads"] = a.num_attention_heads
    for name in ("num_key_value_heads", "intermediate_size", "max_position_embeddings"):
        del config[name]
    del config["ffn_hidden_size"], config["tie_word_embeddings"]


def _gemma(config: dict[str, Any], a: LlmArchitecture) -> None:
    config["head_dim"] = a.head_dim
    del config["tie_word_embeddings"]


def _gemma3(config: dict[str, Any], a: LlmArchitecture) -> None:
    # google/gemma-3-4b-it omits values that are defaults of its class.
    text = config["text_config"]
    for name in ("vocab_size", "max_position_embeddings", "tie_word_embeddings"):
        del text[name]
    if a.num_attention_heads == 8:
        del text["num_attention_heads"], text["num_key_value_heads"], text["head_dim"]
    config["text_config"]["rope_scaling"] = a.rope_scaling
    outer = {"model_type", "architectures", "torch_dtype"}
    for name in common_fields(a).keys() - outer:
        config.pop(name, None)


QUIRKS: dict[str, Callable[[dict[str, Any], LlmArchitecture], None]] = {
    "qwen2": _qwen,
    "qwen3": _qwen,
    "qwen3_moe": _qwen_moe,
    "mistral": _mistral,
    "mistral3": _mistral3,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "xlm-roberta": _xlm_roberta,
    "phi3": _phi3,
    "falcon": _falcon,
    "gemma2": _gemma,
    "gemma3_text": _gemma,
    "gemma3": _gemma3,
}


PUBLISHED = yaml.safe_load(Path(__file__).with_name("published_configs.yaml").read_text())


@pytest.mark.parametrize("row", llms().values(), ids=lambda row: row.id)
def test_every_catalogue_model_is_read_back_from_its_config_json(row: LlmRow) -> None:
    architecture, quantization = read(PUBLISHED.get(row.id) or config_of(row))
    # Which key holds the base matters for a file of one's own, so that no row says it.
    # A stated window that no layer reaches is said where it is known.
    window = row.architecture.states_window
    assert window in (None, architecture.states_window)
    left_out = {"rope_parameters": None, "states_window": window}
    assert architecture.model_copy(update=left_out) == row.architecture
    expected = row.quantization
    if expected and expected.method == "mxfp4":
        expected = expected.model_copy(update={"group_size": None})
    assert quantization == expected


def test_llama_is_read() -> None:
    architecture, quantization = read(LLAMA)
    assert architecture.attention == Attention(kind=AttentionKind.GQA)
    assert architecture.head_dim == 128
    assert not architecture.tie_word_embeddings
    assert architecture.longest_context == 131072
    assert quantization is None


def test_mistral_7b_v0_1_slides_in_every_layer() -> None:
    architecture, _ = read(
        LLAMA | {"model_type": "mistral", "sliding_window": 4096, "rope_scaling": None}
    )
    assert (architecture.sliding_window, architecture.sliding_window_layers) == (4096, 32)


@pytest.mark.parametrize(
    ("fields", "stated"),
    [
        ({"sliding_window": 4096}, True),
        ({"sliding_window": 1_000_000}, True),  # beyond the context: no layer slides
        ({"sliding_window": None}, False),
        ({"sliding_window": 4096, "use_sliding_window": False}, False),
        ({}, None),  # Mistral's class has 4096 then
    ],
)
def test_a_window_counts_as_stated_whether_or_not_a_layer_slides(
    fields: dict[str, Any], stated: bool | None
) -> None:
    architecture, _ = read(LLAMA | {"model_type": "mistral", "rope_scaling": None} | fields)
    assert architecture.states_window is stated


def test_qwen_states_a_window_only_if_it_is_switched_on() -> None:
    qwen = LLAMA | {"model_type": "qwen2", "sliding_window": 4096, "rope_scaling": None}
    assert read(qwen)[0].states_window is False
    switched_on = {"use_sliding_window": True, "max_window_layers": LLAMA["num_hidden_layers"]}
    architecture, _ = read(qwen | switched_on)
    assert (architecture.states_window, architecture.sliding_window) == (True, None)


def test_yarn_stretches_the_context() -> None:
    scaling = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    architecture, _ = read(LLAMA | {"max_position_embeddings": 32768, "rope_scaling": scaling})
    assert architecture.longest_context == 131072


def test_linear_scaling_of_gemma_3_is_already_in_its_limit() -> None:
    row = llms()["gemma-3-4b-it"]
    config = config_of(row)
    config["text_config"]["rope_scaling"] = {"factor": 8.0, "rope_type": "linear"}
    assert read(config)[0].longest_context == 131072


def test_rope_parameters_of_newer_transformers_are_read() -> None:
    config = {name: value for name, value in LLAMA.items() if name != "rope_scaling"}
    parameters = {"rope_type": "linear", "factor": 2.0, "rope_theta": 500000.0}
    architecture, _ = read(config | {"rope_parameters": parameters, "dtype": "bfloat16"})
    assert architecture.longest_context == 262144


def test_dtype_is_float32_where_nothing_is_said() -> None:
    config = {name: value for name, value in LLAMA.items() if name != "torch_dtype"}
    assert read(config)[0].torch_dtype == "float32"


def test_a_vision_model_is_multimodal() -> None:
    assert read(LLAMA | {"vision_config": {"depth": 32}})[0].multimodal
    nested = {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"]}
    text = {name: value for name, value in LLAMA.items() if name != "architectures"}
    architecture, _ = read(nested | {"text_config": text})
    assert architecture.multimodal
    assert architecture.model_type == "llava"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True},
            Quantization(method="gptq", bits=4, group_size=128),
        ),
        (
            {"quant_method": "gptq", "bits": 8, "group_size": -1},
            Quantization(method="gptq", bits=8),
        ),
        (
            {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3"},
            Quantization(method="fp8", bits=8, scheme="dynamic"),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "pack-quantized",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 128}}},
            },
            Quantization(
                method="compressed-tensors", bits=4, group_size=128, scheme="pack-quantized"
            ),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "float-quantized",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "group_size": None}}},
            },
            Quantization(method="compressed-tensors", bits=8, scheme="float-quantized"),
        ),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
            Quantization(method="bitsandbytes", bits=4, scheme="nf4"),
        ),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True},
            Quantization(method="bitsandbytes", bits=8, scheme="int8"),
        ),
        (
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16},
            Quantization(method="modelopt", bits=4, group_size=16, scheme="NVFP4"),
        ),
        (
            {"quant_method": "awq", "w_bit": 4, "q_group_size": 128, "version": "gemm"},
            Quantization(method="awq", bits=4, group_size=128, scheme="gemm"),
        ),
    ],
)
def test_quantization_is_read(config: dict[str, Any], expected: Quantization) -> None:
    assert read(LLAMA | {"quantization_config": config})[1] == expected


NOT_LLMS = [
    {"model_type": "distilbert", "architectures": ["DistilBertForMaskedLM"]},
    {"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"]},
    {
        "model_type": "t5",
        "architectures": ["T5ForConditionalGeneration"],
        "is_encoder_decoder": True,
    },
    {"model_type": "marian_like", "is_encoder_decoder": True},
    {"model_type": "vit", "architectures": ["ViTForImageClassification"]},
    {"model_type": "clip", "text_config": LLAMA},
    {"model_type": "llava", "text_config": {"model_type": "clip_text_model"}},
    {"model_type": "deberta-v2"},
    {"model_type": "qwen2", "architectures": ["Qwen2ForTokenClassification"]},
]


@pytest.mark.parametrize("config", NOT_LLMS, ids=lambda config: str(config["model_type"]))
def test_what_vllm_does_not_serve_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigJsonError, match=r"decoder LLM|names no class"):
        read(LLAMA | {"architectures": None} | config)


BERT = {
    "model_type": "bert",
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
}


@pytest.mark.parametrize("name", ["BertModel", "BertForMaskedLM", None])
def test_an_encoder_is_read(name: str | None) -> None:
    architecture, _ = read(BERT | {"architectures": [name] if name else None})
    assert architecture.encoder
    assert architecture.num_labels is None
    assert architecture.parameters == pytest.approx(109_000_000, rel=0.02)  # BERT-base
    assert not read(LLAMA)[0].encoder


@pytest.mark.parametrize(
    ("labels", "expected"),
    [({}, 2), ({"id2label": {"0": "LABEL_0"}}, 1), ({"num_labels": 3}, 3)],
)
def test_the_labels_of_a_classification_head_are_counted(
    labels: dict[str, Any], expected: int
) -> None:
    name = {"architectures": ["BertForSequenceClassification"]}
    assert read(BERT | name | labels)[0].num_labels == expected


@pytest.mark.parametrize(("padding", "usable"), [({}, 512), ({"pad_token_id": 0}, 513)])
def test_positions_of_roberta_start_behind_its_padding(
    padding: dict[str, Any], usable: int
) -> None:
    roberta = BERT | {"model_type": "roberta", "max_position_embeddings": 514}
    assert read(roberta | padding)[0].longest_context == usable


def test_states_of_an_unknown_family_are_refused_with_their_own_reason() -> None:
    with pytest.raises(ConfigJsonError, match="does not know how large"):
        read(LLAMA | {"layer_types": ["linear_attention"] * 32})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON"),
        ("not json", "is not JSON"),
        ("{", "is not JSON"),
        ("[1, 2]", "not an object"),
        ("null", "not an object"),
        ("9" * 5000, "beyond any real one"),
        ("[" * 100_000, "beyond any real one"),
        (" " * 6_000_000, "characters long"),
        ("{}", "model_type is missing"),
    ],
    ids=["empty", "prose", "cut", "list", "null", "number", "nesting", "size", "no fields"],
)
def test_what_is_no_config_json_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ConfigJsonError, match=reason):
        architecture_from_config_json(text)


BAD_VALUES = [
    ("num_hidden_layers", "32", r'num_hidden_layers "32" must be a whole number'),
    ("num_hidden_layers", 0, "num_hidden_layers 0 must be from 1"),
    ("num_hidden_layers", -1, "num_hidden_layers -1 must be from 1"),
    ("num_hidden_layers", True, "num_hidden_layers true must be a whole number"),
    ("num_hidden_layers", 32.5, "num_hidden_layers 32.5 must be a whole number"),
    ("hidden_size", 10**30, r"hidden_size 10+ must be from 1"),
    ("hidden_size", 4097, "32 heads do not divide hidden_size 4097"),
    ("num_key_value_heads", 5, "num_key_value_heads 5 does not divide the 32 attention heads"),
    ("num_key_value_heads", 64, "num_key_value_heads 64 does not divide"),
    ("vocab_size", [1], r"vocab_size \[1\] must be a whole number"),
    ("vocab_size", None, "vocab_size is missing"),
    ("intermediate_size", None, "intermediate_size is missing"),
    ("torch_dtype", "int8", 'torch_dtype "int8" is none of'),
    ("torch_dtype", 16, "torch_dtype 16 must be text"),
    ("tie_word_embeddings", "yes", 'tie_word_embeddings "yes" must be true or false'),
    ("architectures", "LlamaForCausalLM", "must be a list of texts"),
    ("rope_scaling", "linear", 'rope_scaling "linear" must be an object'),
    ("rope_scaling", {"type": "linear", "factor": -2}, "rope_scaling.factor -2 must be above 0"),
    ("quantization_config", [], r"quantization_config \[\] must be an object"),
    ("quantization_config", {}, "quantization_config.quant_method is missing"),
    ("quantization_config", {"quant_method": "awq"}, "quantization_config.bits is missing"),
    ("quantization_config", {"quant_method": "awq", "bits": 64}, "bits 64 must be 1 to 16"),
    ("quantization_config", {"quant_method": "bitsandbytes"}, "are both unset"),
    (
        "quantization_config",
        {"quant_method": "compressed-tensors", "config_groups": {}},
        "config_groups .* is empty",
    ),
    ("layer_types", ["full_attention"], "has 1 entries for 32 layers"),
    ("text_config", 7, "text_config 7 must be an object"),
]


@pytest.mark.parametrize(("field", "value", "message"), BAD_VALUES)
def test_bad_values_are_named_with_field_value_and_way_out(
    field: str, value: Any, message: str
) -> None:
    with pytest.raises(ConfigJsonError, match=message) as caught:
        read(LLAMA | {field: value})
    assert "config.json" in str(caught.value)
    assert str(caught.value).endswith("and set checkFit: false.")


def test_messages_stay_short() -> None:
    with pytest.raises(ConfigJsonError) as caught:
        read(LLAMA | {"vocab_size": "x" * 100_000})
    assert len(str(caught.value)) < 300


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["llama", "gemma3_text", "falcon", "awq", "yarn", "sliding_attention"]),
    lambda children: (
        st.lists(children, max_size=5) | st.dictionaries(st.text(max_size=20), children, max_size=5)
    ),
    max_leaves=10,
)
FIELDS = sorted(
    {name for row in llms().values() for name in config_of(row)}
    | {"text_config", "layer_types", "is_encoder_decoder", "attn_config", "rope_parameters"}
    | {"use_sliding_window", "max_window_layers", "kv_lora_rank", "q_lora_rank", "dtype"}
    | {"sliding_window_pattern", "multi_query", "block_configs", "llm_config"}
)


def outcome(text: str) -> str:
    """Read a text; any result except an architecture or a ConfigJsonError fails the test."""
    try:
        architecture, _ = architecture_from_config_json(text)
    except ConfigJsonError:
        return "refused"
    assert architecture.kv_values_per_token_per_layer > 0
    assert architecture.longest_context >= 0
    return "read"


@settings(max_examples=1000, deadline=None)
@given(JSON_VALUES)
def test_any_json_is_read_or_refused(value: Any) -> None:
    outcome(json.dumps(value))


@settings(max_examples=500, deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    outcome(text)


@settings(max_examples=3000, deadline=None)
@given(
    st.sampled_from([config_of(row) for row in llms().values()]),
    st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, min_size=1, max_size=3),
    st.sets(st.sampled_from(FIELDS), max_size=2),
    st.booleans(),
)
def test_any_mutation_of_a_real_config_is_read_or_refused(
    config: dict[str, Any], changes: dict[str, Any], removed: set[str], nested: bool
) -> None:
    changed = {name: value for name, value in config.items() if name not in removed} | changes
    if nested and isinstance(config.get("quantization_config"), dict):
        changed["quantization_config"] = config["quantization_config"] | changes
    if nested and isinstance(config.get("text_config"), dict):
        changed["text_config"] = config["text_config"] | changes
    outcome(json.dumps(changed))


def test_the_architecture_refuses_what_contradicts_itself() -> None:
    values = llms()["llama-3.1-8b-instruct"].architecture.model_dump()
    for change in (
        {"num_key_value_heads": 5},
        {"sliding_window": 4096},
        {"sliding_window": 4096, "sliding_window_layers": 33},
        {"attention": {"kind": "mla"}},
        {"attention": {"kind": "gqa", "kv_lora_rank": 512}},
        {"hidden_size": 0},
        {"unknown": 1},
    ):
        with pytest.raises(ValueError, match=r"validation error"):
            LlmArchitecture.model_validate(values | change)


@pytest.mark.parametrize("family", sorted({*LEFT_TO_CLASS, *OLDER_TYPES}))
def test_every_field_that_a_family_leaves_to_its_class_has_a_value_there(family: str) -> None:
    values = left_to_class(family)
    assert values
    assert all(isinstance(value, int) and value > 0 for value in values.values())


def test_a_window_is_taken_from_the_class_only_where_a_family_leaves_it_out() -> None:
    assert left_to_class("gpt_oss")["sliding_window"] == 128
    for nested in (True, False):
        assert "sliding_window" not in class_defaults("mistral", nested=nested)
