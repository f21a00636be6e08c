"""Reads a Hugging Face config.json into an `LlmArchitecture`, as vLLM would understand it.

Any text is safe to give: what is not the config.json of a decoder LLM ends in a
`ConfigJsonError` whose sentence names the field, the value, the reason and a way out.
Class defaults that a config.json may leave out are those of transformers.
"""

from pydantic import ValidationError

from models.architecture.class_defaults import class_defaults, left_to_class
from models.architecture.config_fields import WAY_OUT, ConfigJsonError, Fields, parse_object
from models.architecture.feed_forward import block_heads, block_widths, feed_forward_weights
from models.architecture.layer_kinds import layer_kinds, listed_layers, states_window
from models.architecture.llm_architecture import (
    Attention,
    AttentionKind,
    LlmArchitecture,
    Quantization,
    RopeParameters,
)
from models.architecture.model_families import (
    EMBEDDING_SUFFIX,
    GENERATION_SUFFIXES,
    NOT_DECODERS,
    STATE_ONLY,
    TIED_BY_DEFAULT,
)
from models.architecture.pooling_models import (
    CLASSIFICATION_SUFFIX,
    ENCODER_MODEL_TYPES,
    ENCODER_SUFFIX,
    number_of_labels,
    usable_positions,
)
from models.architecture.quantization_config import quantization
from models.architecture.vision_encoder import vision_encoder

EXPERT_WIDTHS = (
    "moe_intermediate_size",
    "expert_intermediate_size",
    "expert_ffn_hidden_size",
    "ffn_hidden_size",
)
# Experts that work on a projection of the hidden state: Nemotron 3 Super, Kimi K3.
EXPERT_INPUTS = ("moe_latent_size", "routed_expert_hidden_size")
# NVIDIA's architecture search: layers of one kind whose shapes differ.
SEARCHED = ("nemotron-nas",)
FEED_FORWARD_WIDTHS = (
    "intermediate_size",
    "ffn_hidden_size",
    "n_inner",
    "ffn_dim",
    "block_ff_dim",  # LFM2
    "ff_intermediate_size",  # Phi-3 small
)
FALCON = ("falcon", "RefinedWeb", "RefinedWebModel")
# Their config.json has no size for the feed-forward layer.
FOUR_TIMES_HIDDEN = (*FALCON, "gpt2", "gpt_bigcode", "bloom")

# Where families describe what reads images or sound, beside a flat text configuration.
ENCODER_FIELDS = (
    "vision_config",
    "audio_config",
    "visual",
    "img_processor",
    "vision_tower",
    "mm_vision_tower",
    "audio_processor",
)
# The limits that vLLM reads; the smallest one holds, and model_max_length before all of them.
# ModelConfig._get_and_verify_max_len
POSITION_LIMITS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
NESTED_TEXT_CONFIGS = ("text_config", "llm_config", "language_config")


def architecture_from_config_json(text: str) -> tuple[LlmArchitecture, Quantization | None]:
    """Return the architecture and the quantization that a config.json describes.

    Raises ConfigJsonError, and nothing else, when `text` is not the config.json of a
    decoder LLM whose KV cache grows with attention heads.
    """
    whole = Fields(parse_object(text))
    fields, multimodal = _text_fields(whole)
    model_type = whole.text("model_type", default=fields.text("model_type", default=None))
    if model_type is None:
        raise whole.error("model_type", "is missing")
    architecture = _architecture_class(whole, fields)
    _refuse_other_models(whole, fields, architecture)
    try:
        return (
            _architecture(whole, fields, model_type, architecture, multimodal=multimodal),
            quantization(whole if whole.has("quantization_config") else fields),
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        msg = f"config.json: {reason}. {WAY_OUT}"
        raise ConfigJsonError(msg) from None


def _text_fields(whole: Fields) -> tuple[Fields, bool]:
    """Return the fields of the language model, and whether it also reads images or sound."""
    for name in NESTED_TEXT_CONFIGS:
        if whole.has(name):
            return whole.nested(name), True
    return whole, any(whole.has(name) for name in ENCODER_FIELDS)


def _architecture_class(whole: Fields, fields: Fields) -> str | None:
    for path in (whole, fields):
        names = path.texts("architectures")
        for name in names:
            if name.endswith((*GENERATION_SUFFIXES, EMBEDDING_SUFFIX, CLASSIFICATION_SUFFIX)):
                return name
            if name.endswith(ENCODER_SUFFIX) and _is_encoder(path):
                return name
        if names:
            raise path.error(
                "architectures", "names no class that generates text, embeds or scores it"
            )
    return None


def _is_encoder(fields: Fields) -> bool:
    return (fields.text("model_type", default="") or "") in ENCODER_MODEL_TYPES


def _refuse_other_models(whole: Fields, fields: Fields, architecture: str | None) -> None:
    for path in (whole, fields):
        if path.flag("is_encoder_decoder", default=False):
            raise path.error("is_encoder_decoder", "means an encoder-decoder, not a decoder LLM")
        model_type = path.text("model_type", default="") or ""
        if model_type in NOT_DECODERS or (architecture is None and "vision" in model_type):
            raise path.error("model_type", "is no decoder LLM")
        if model_type in STATE_ONLY:
            raise path.not_computed(
                "model_type",
                "has layers without any KV cache alone or of a kind of its own, and the fit cannot "
                "compute what they keep",
            )
        if path.has("block_configs") and model_type not in SEARCHED:
            raise path.not_computed(
                "block_configs", "gives each layer its own shape, which the fit cannot compute"
            )
        if path.has("compress_ratios"):
            raise path.not_computed(
                "model_type",
                "is sparse: it compresses its KV cache layer by layer (compress_ratios), which the "
                "fit cannot compute",
            )


def _architecture(
    whole: Fields,
    fields: Fields,
    model_type: str,
    architecture: str | None,
    *,
    multimodal: bool,
) -> LlmArchitecture:
    text_type = fields.text("model_type", default=model_type) or model_type
    of_class = class_defaults(text_type, nested=fields is not whole)
    fields = fields.with_defaults(left_to_class(text_type), of_class)
    names = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    layers = fields.integer(*names, default=listed_layers(fields))
    hidden = fields.integer("hidden_size", "n_embd", "d_model")
    heads = fields.integer("num_attention_heads", "n_head", "n_heads")
    searched = block_heads(fields, heads, layers) if fields.has("block_configs") else []
    if searched:
        fields = fields.with_values({"num_key_value_heads": max(searched) or heads})
    attention, kv_heads, head_dim = _attention(fields, text_type, heads, hidden)
    positions = usable_positions(fields, text_type, _positions(fields))
    feed_forward = fields.nested("ffn_config") if fields.has("ffn_config") else fields  # DBRX
    experts = _experts(feed_forward)
    intermediate = _intermediate_size(feed_forward, text_type, hidden, experts)
    kinds = layer_kinds(fields, text_type, layers, positions)
    shapes = _head_shapes(fields, kv_heads, head_dim) if kinds.window else {}
    full = sum(1 for count in searched if count) if searched else kinds.full
    derived = layers - kinds.sliding
    return LlmArchitecture(
        model_type=model_type,
        architecture=architecture,
        num_hidden_layers=layers,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_attention_heads=heads,
        num_key_value_heads=shapes.pop("num_key_value_heads", None) or kv_heads,
        head_dim=shapes.pop("head_dim", None) or head_dim,
        vocab_size=fields.integer("vocab_size", "padded_vocab_size"),
        max_position_embeddings=positions,
        rope_scaling=_rope_scaling(fields),
        rope_parameters=_rope_parameters(fields),
        torch_dtype=_dtype(whole, fields),
        tie_word_embeddings=fields.flag(
            "tie_word_embeddings",
            default=whole.flag(
                "tie_word_embeddings", default=text_type in TIED_BY_DEFAULT | ENCODER_MODEL_TYPES
            ),
        ),
        attention=attention,
        num_experts=experts,
        num_experts_per_tok=_experts_per_token(feed_forward) if experts else None,
        num_shared_experts=_shared_experts(fields) if experts else None,
        num_moe_layers=_moe_layers(fields, layers) if experts else None,
        moe_intermediate_size=(
            feed_forward.largest(*EXPERT_WIDTHS, default=intermediate) if experts else None
        ),
        expert_input_size=fields.count(*EXPERT_INPUTS) or None if experts else None,
        feed_forward_parameters=feed_forward_weights(fields, text_type, hidden),
        sliding_window=kinds.window,
        sliding_window_layers=kinds.sliding or None,
        states_window=states_window(fields, text_type),
        full_attention_layers=None if full == derived else full,
        state_layers=kinds.states,
        **_indexer(fields, attention, layers),
        encoder=text_type in ENCODER_MODEL_TYPES,
        num_labels=number_of_labels(whole, architecture),
        multimodal=multimodal,
        vision=vision_encoder(whole),
        **shapes,
    )


def _positions(fields: Fields) -> int:
    """The longest context: the smallest of the limits, or model_max_length if it is there."""
    if fields.has("model_max_length"):
        return fields.integer("model_max_length")
    given = [fields.integer(name) for name in POSITION_LIMITS if fields.has(name)]
    return min(given) if given else fields.integer(POSITION_LIMITS[0])


def _experts(fields: Fields) -> int | None:
    """How many experts there are; None for a dense model. ERNIE's vision models list two kinds."""
    names = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
    for name in names:
        if fields.is_list(name):
            return sum(fields.integers(name)) or None
    count = fields.count(*names)
    return count if count and count > 1 else None


def _intermediate_size(fields: Fields, text_type: str, hidden: int, experts: int | None) -> int:
    """The width of a feed-forward layer, the widest if each layer has its own (Gemma 3n).

    A model whose layers all have experts may state only theirs.
    """
    if fields.has("block_configs"):
        return max(block_widths(fields, hidden), default=0) or hidden
    default = 4 * hidden if text_type in FOUR_TIMES_HIDDEN else None
    if experts and fields.has("moe_intermediate_size"):
        default = fields.largest("moe_intermediate_size")
    return fields.largest(*FEED_FORWARD_WIDTHS, default=default)


def _head_shapes(fields: Fields, kv_heads: int, head_dim: int) -> dict[str, int | None]:
    """The heads of layers that slide and of those that do not, where a family has two kinds.

    MiMo states those that slide (`swa_`), Gemma 4 those that do not (`global_`). None: alike.
    """
    value = fields.count("v_head_dim") or None
    shapes: dict[str, int | None] = {"v_head_dim": None if value == head_dim else value}
    if fields.has("swa_num_key_value_heads") or fields.has("swa_head_dim"):
        shapes["sliding_num_key_value_heads"] = fields.integer(
            "swa_num_key_value_heads", default=kv_heads
        )
        shapes["sliding_head_dim"] = fields.integer("swa_head_dim", default=head_dim)
        shapes["sliding_v_head_dim"] = fields.count("swa_v_head_dim") or None
    if fields.has("global_head_dim") or fields.has("num_global_key_value_heads"):
        shapes["sliding_num_key_value_heads"] = kv_heads
        shapes["sliding_head_dim"] = head_dim
        shapes["num_key_value_heads"] = fields.integer(
            "num_global_key_value_heads", default=kv_heads
        )
        shapes["head_dim"] = fields.integer("global_head_dim", default=head_dim)
    return shapes


def _indexer(fields: Fields, attention: Attention, layers: int) -> dict[str, int | None]:
    """The keys of an indexer of sparse attention, which has a cache of its own.

    Over a latent (DeepSeek V3.2, GLM-5) all layers have one, or only those of `index_topk_freq`
    (GLM 5.2; deepseek_v2.py in vLLM); MiniMax M3 lists its layers.
    """
    if fields.has("sparse_attention_config"):
        sparse = fields.nested("sparse_attention_config")
        if not sparse.flag("use_sparse_attention", default=False):
            return {}
        listed = sum(sparse.flags_as_numbers("sparse_attention_freq")) or layers
        return {"index_head_dim": sparse.integer("sparse_index_dim"), "index_layers": listed}
    if attention.kind is not AttentionKind.MLA or not fields.has("index_topk"):
        return {}
    pattern = fields.text("index_topk_pattern", default=None)
    frequency = fields.integer("index_topk_freq", default=1)
    offset = fields.count("index_skip_topk_offset")
    first = 2 if offset is None else offset
    if pattern:
        own = layers - pattern[:layers].count("S")
    else:
        own = sum(1 for index in range(layers) if max(index - first + 1, 0) % frequency == 0)
    size = fields.integer("index_head_dim", default=128)
    return {"index_head_dim": size, "index_layers": None if own == layers else max(own, 1)}


def _attention(
    fields: Fields, text_type: str, heads: int, hidden: int
) -> tuple[Attention, int, int]:
    """Return the attention, the number of KV heads and the query's head size."""
    if fields.has("kv_lora_rank") and text_type != "minicpm3":
        nope = fields.integer("qk_nope_head_dim")
        rope = fields.integer("qk_rope_head_dim")
        attention = Attention(
            kind=AttentionKind.MLA,
            kv_lora_rank=fields.integer("kv_lora_rank"),
            qk_rope_head_dim=rope,
            qk_nope_head_dim=nope,
            v_head_dim=fields.integer("v_head_dim"),
            q_lora_rank=fields.count("q_lora_rank") or None,
        )
        return attention, heads, nope + rope
    kv_heads = _kv_heads(fields, text_type, heads)
    if heads % kv_heads:
        raise fields.error(
            "num_key_value_heads", f"does not divide the {heads} attention heads", value=kv_heads
        )
    kind = AttentionKind.GQA
    if kv_heads == heads:
        kind = AttentionKind.MHA
    elif kv_heads == 1:
        kind = AttentionKind.MQA
    return Attention(kind=kind), kv_heads, _head_dim(fields, text_type, heads, hidden)


def _kv_heads(fields: Fields, text_type: str, heads: int) -> int:
    if text_type in FALCON:
        # config.json of falcon-7b says num_kv_heads 71 and means 1.
        if fields.flag("new_decoder_architecture", default=False):
            return fields.integer("num_kv_heads", "n_head_kv", default=heads)
        return 1 if fields.flag("multi_query", default=True) else heads
    if text_type == "gpt_bigcode":
        return 1 if fields.flag("multi_query", default=True) else heads
    if text_type == "chatglm" and not fields.flag("multi_query_attention", default=False):
        return heads
    if fields.has("attn_config"):
        return fields.nested("attn_config").integer("kv_n_heads", default=heads)
    return fields.integer(
        "num_key_value_heads",
        "num_kv_heads",
        "multi_query_group_num",
        "num_attention_groups",
        default=heads,
    )


def _head_dim(fields: Fields, text_type: str, heads: int, hidden: int) -> int:
    if text_type == "minicpm3":
        return fields.integer("qk_nope_head_dim") + fields.integer("qk_rope_head_dim")
    if text_type == "zamba2":  # attends to the hidden state beside the embedding
        return fields.integer("attention_head_dim", default=max(1, 2 * hidden // heads))
    names = ("head_dim", "attention_head_dim", "kv_channels")
    if any(fields.has(name) for name in names):
        return fields.integer(*names)
    if hidden % heads:
        raise fields.error(
            "head_dim", f"is missing, and {heads} heads do not divide hidden_size {hidden}"
        )
    return hidden // heads


def _experts_per_token(fields: Fields) -> int | None:
    """How many experts a token uses; the most if each layer says its own (Hunyuan)."""
    names = (
        "num_experts_per_tok",
        "experts_per_token",
        "moe_topk",
        "moe_k",
        "moe_top_k",
        "top_k_experts",
        "num_experts_per_token",
    )
    listed = next((name for name in names if fields.is_list(name)), None)
    if listed is not None:
        return max(fields.integers(listed), default=None)
    return fields.count(*names) or None


def _shared_experts(fields: Fields) -> int | None:
    names = ("n_shared_experts", "moe_num_shared_experts", "num_shared_experts")
    listed = next((name for name in names if fields.is_list(name)), None)
    if listed is not None:
        return max(fields.integers(listed), default=None)
    return fields.count(*names) or None


def _moe_layers(fields: Fields, layers: int) -> int:
    """Layers with experts: those of a list, every nth, all but the first, or from a first on."""
    for name in ("moe_layer_freq", "mlp_layer_types"):
        if fields.is_list(name):
            return max(1, sum(1 for item in fields.items(name) if item in (1, "sparse")))
    if fields.has("moe_layer_start_index") and not fields.is_list("moe_layer_start_index"):
        first = fields.count("moe_layer_start_index") or 0
        if fields.is_list("moe_layer_end_index") or fields.is_minus_one("moe_layer_end_index"):
            last = layers - 1
        else:
            last = fields.count("moe_layer_end_index") or layers - 1
        return max(1, min(last, layers - 1) - first + 1)
    every = fields.integer(
        "interleave_moe_layer_step",  # Llama 4
        "expert_layer_period",  # Jamba
        "decoder_sparse_step",
        default=1,
    )
    dense = fields.count("first_k_dense_replace", "num_dense_layers") or 0
    dense += len(fields.indices("mlp_only_layers"))
    return max(1, (layers - min(dense, layers - 1)) // every)


def _dtype(whole: Fields, fields: Fields) -> str:
    """Return the dtype of the weights; float32 if it is not given, as in transformers."""
    for path in (fields, whole):
        for name in ("torch_dtype", "dtype"):
            if path.has(name):
                value = (path.text(name, default="") or "").removeprefix("torch.")
                if value not in ("float16", "bfloat16", "float32"):
                    raise path.error(name, "is none of float16, bfloat16 and float32")
                return value
    return "float32"


def _rope_scaling(fields: Fields) -> dict[str, int | float | str] | None:
    for name in ("rope_scaling", "rope_parameters"):
        if not fields.has(name):
            continue
        scaling = fields.nested(name)
        rope_type = scaling.text("rope_type", default=scaling.text("type", default=None))
        if rope_type in (None, "default"):
            return None
        result: dict[str, int | float | str] = {"rope_type": rope_type}
        factor = scaling.number("factor")
        original = scaling.count("original_max_position_embeddings")
        if factor is not None:
            result["factor"] = factor
        if original:
            result["original_max_position_embeddings"] = original
        return result
    return None


def _rope_parameters(fields: Fields) -> RopeParameters | None:
    """None if `rope_scaling` is given as well, or if each kind of layer has its own."""
    if fields.has("rope_scaling") or not fields.has("rope_parameters"):
        return None
    parameters = fields.nested("rope_parameters")
    if not (parameters.has("rope_type") or parameters.has("rope_theta")):
        return None
    beside = fields.has("rope_theta")
    return RopeParameters(theta=None if beside else parameters.number("rope_theta"))
