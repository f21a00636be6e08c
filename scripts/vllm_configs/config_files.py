"""config.json of a model of the catalogue, as far as vLLM's configuration reads it.

The catalogue keeps what planning needs, under config.json's names. What families name otherwise
is written here; fields without an influence on the configuration have any value.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from models.architecture import LlmArchitecture
from models.catalog import LlmRow

# Windows that config.json states and no layer reaches, or that planning sets aside.
_STATED_WINDOWS: Final = {"phi-3-mini-4k-instruct": 2047, "phi-3.5-mini-instruct": 262144}


def config_json(row: LlmRow) -> dict[str, Any] | None:
    """The fields of a row's config.json; None for a family whose names are not known here.

    They are complete: none is left to the class.
    """
    architecture = row.architecture
    family = _FAMILIES.get(architecture.model_type)
    if family is None:
        return None
    config = {**common_fields(architecture), **family(architecture)}
    config = {name: value for name, value in config.items() if value is not None}
    if row.id in _STATED_WINDOWS:
        config["sliding_window"] = _STATED_WINDOWS[row.id]
    if row.quantization is not None:
        config["quantization_config"] = _QUANTIZATION[row.quantization.method]
    return config


def common_fields(architecture: LlmArchitecture) -> dict[str, Any]:
    """The fields that every family writes under the same names."""
    config: dict[str, Any] = {
        "architectures": [architecture.architecture],
        "rope_theta": 1_000_000.0,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "torch_dtype": architecture.torch_dtype,
        **{
            name: getattr(architecture, name)
            for name in (
                "model_type",
                "num_hidden_layers",
                "hidden_size",
                "intermediate_size",
                "num_attention_heads",
                "num_key_value_heads",
                "head_dim",
                "vocab_size",
                "max_position_embeddings",
                "tie_word_embeddings",
            )
        },
    }
    if architecture.rope_scaling is not None:
        config["rope_scaling"] = _rope_scaling(architecture)
    return config


def _rope_scaling(architecture: LlmArchitecture) -> dict[str, Any]:
    """The scaling with what the catalogue leaves out: numbers that change no limit."""
    scaling = dict(architecture.rope_scaling or {})
    if scaling["rope_type"] == "longrope":  # Phi-3's class takes exactly these three
        ones = [1.0] * (architecture.head_dim // 2)
        return {"type": "longrope", "short_factor": ones, "long_factor": ones}
    if scaling["rope_type"] == "llama3":
        return {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "factor": 8.0, **scaling} | {
            "original_max_position_embeddings": 8192
        }
    return scaling


def _plain(_: LlmArchitecture) -> dict[str, Any]:
    return {}


def _phi3(architecture: LlmArchitecture) -> dict[str, Any]:
    scaling = architecture.rope_scaling or {}
    original = scaling.get("original_max_position_embeddings", architecture.max_position_embeddings)
    return {"original_max_position_embeddings": original, "pad_token_id": 0}


def _falcon(architecture: LlmArchitecture) -> dict[str, Any]:
    return {
        "head_dim": None,  # a property of the class
        "num_kv_heads": architecture.num_key_value_heads,
        "ffn_hidden_size": architecture.intermediate_size,
        "multi_query": True,
        "new_decoder_architecture": architecture.num_key_value_heads > 1,
        "parallel_attn": True,
        "alibi": False,
        "bias": False,
    }


def _mixtral(architecture: LlmArchitecture) -> dict[str, Any]:
    return {
        "num_local_experts": architecture.num_experts,
        "num_experts_per_tok": architecture.num_experts_per_tok,
    }


def _qwen3_moe(architecture: LlmArchitecture) -> dict[str, Any]:
    return {
        "num_experts": architecture.num_experts,
        "num_experts_per_tok": architecture.num_experts_per_tok,
        "moe_intermediate_size": architecture.moe_intermediate_size,
        "decoder_sparse_step": 1,
    }


def _deepseek(architecture: LlmArchitecture) -> dict[str, Any]:
    latent = architecture.attention
    return {
        "kv_lora_rank": latent.kv_lora_rank,
        "q_lora_rank": latent.q_lora_rank,
        "qk_rope_head_dim": latent.qk_rope_head_dim,
        "qk_nope_head_dim": latent.qk_nope_head_dim,
        "v_head_dim": latent.v_head_dim,
        "n_routed_experts": architecture.num_experts,
        "n_shared_experts": architecture.num_shared_experts,
        "num_experts_per_tok": architecture.num_experts_per_tok,
        "moe_intermediate_size": architecture.moe_intermediate_size,
        "first_k_dense_replace": 1,
        "moe_layer_freq": 1,
    }


def _gemma(architecture: LlmArchitecture) -> dict[str, Any]:
    return {"sliding_window": architecture.sliding_window, "rope_local_base_freq": 10000.0}


def _gemma3(architecture: LlmArchitecture) -> dict[str, Any]:
    vision = architecture.vision
    text = common_fields(architecture) | _gemma(architecture) | {"model_type": "gemma3_text"}
    del text["architectures"]
    return {
        "text_config": text,
        "mm_tokens_per_image": 256,
        "vision_config": {
            "model_type": "siglip_vision_model",
            "hidden_size": vision.hidden_size if vision else 1152,
            "intermediate_size": vision.intermediate_size if vision else 4304,
            "num_hidden_layers": vision.num_layers if vision else 27,
            "num_attention_heads": 16,
            "image_size": 896,
            "patch_size": 14,
        },
    }


def _gpt_oss(architecture: LlmArchitecture) -> dict[str, Any]:
    kinds = ("sliding_attention", "full_attention")
    return {
        "num_local_experts": architecture.num_experts,
        "num_experts_per_tok": architecture.num_experts_per_tok,
        "sliding_window": architecture.sliding_window,
        "layer_types": [kinds[index % 2] for index in range(architecture.num_hidden_layers)],
    }


_FAMILIES: Final[Mapping[str, Callable[[LlmArchitecture], dict[str, Any]]]] = {
    "deepseek_v2": _deepseek,
    "falcon": _falcon,
    "gemma2": _gemma,
    "gemma3": _gemma3,
    "gemma3_text": _gemma,
    "gpt_oss": _gpt_oss,
    "llama": _plain,
    "mistral": _plain,
    "mixtral": _mixtral,
    "phi3": _phi3,
    "qwen2": _plain,
    "qwen3": _plain,
    "qwen3_moe": _qwen3_moe,
}
_QUANTIZATION: Final[Mapping[str, Mapping[str, Any]]] = {
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True},
    "mxfp4": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]},
}
