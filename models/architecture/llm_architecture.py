"""The architecture of a decoder LLM, in the words of its config.json.

Only what planning needs: the dimensions behind weights, KV cache and activations,
the attention kind, the window of sliding layers and the quantization.
All lengths are in tokens, all sizes in elements unless the name says bytes.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from annotated_types import Ge, Le
from pydantic import Field, model_validator

from models.facts import Facts

# A dimension beyond any model's; larger numbers in a file are mistakes, and
# keeping them small keeps every product of them far from absurd arithmetic.
LARGEST_DIMENSION = 100_000_000

Dimension = Annotated[int, Ge(1), Le(LARGEST_DIMENSION), Field(strict=True)]


class AttentionKind(StrEnum):
    """How keys and values are shared between attention heads."""

    MHA = "mha"
    GQA = "gqa"
    MQA = "mqa"
    MLA = "mla"


class Attention(Facts):
    """The attention kind; the other fields are those of multi-head latent attention (MLA)."""

    kind: AttentionKind
    kv_lora_rank: Dimension | None = None
    qk_rope_head_dim: Dimension | None = None
    qk_nope_head_dim: Dimension | None = None
    v_head_dim: Dimension | None = None
    q_lora_rank: Dimension | None = None

    @model_validator(mode="after")
    def _mla_fields_belong_to_mla(self) -> Self:
        latent = (self.kv_lora_rank, self.qk_rope_head_dim)
        if self.kind is AttentionKind.MLA and None in latent:
            msg = "mla attention needs kv_lora_rank and qk_rope_head_dim"
            raise ValueError(msg)
        if self.kind is not AttentionKind.MLA and latent != (None, None):
            msg = f"kv_lora_rank and qk_rope_head_dim belong to mla, not to {self.kind}"
            raise ValueError(msg)
        return self


class StateKind(StrEnum):
    """What a layer computes that keeps a state of fixed size instead of a cache."""

    GATED_DELTA_NET = "gated-delta-net"
    KIMI_DELTA = "kimi-delta"
    LIGHTNING = "lightning"
    MAMBA1 = "mamba1"
    MAMBA2 = "mamba2"
    SHORT_CONVOLUTION = "short-convolution"


class StateLayers(Facts):
    """The layers that keep a state of fixed size of each sequence instead of a cache.

    A state has two parts, either of which may be missing: the last rows of a convolution's input,
    and a recurrent state of each head.

    - `convolution_channels`: values of a row; tensor parallelism divides them
    - `convolution_groups`, `group_channels`: groups of further channels (Mamba-2), of which each
      GPU holds whole ones
    - `head_values`: values of the recurrent state of one head
    - `value_dtype`: of the recurrent state; None for that of the convolution, the model's own
    - `chunk_tokens`: tokens that a kernel computes at once; 0 if states are not kept by the block
    - `projected_width`: values that the projections of a layer make of the hidden state, with
      those that the last one makes a hidden state of
    """

    kind: StateKind
    num_layers: Dimension
    convolution_channels: Annotated[int, Ge(0), Le(LARGEST_DIMENSION)] = 0
    convolution_rows: Annotated[int, Ge(0), Le(LARGEST_DIMENSION)] = 0
    convolution_groups: Annotated[int, Ge(0), Le(LARGEST_DIMENSION)] = 0
    group_channels: Annotated[int, Ge(0), Le(LARGEST_DIMENSION)] = 0
    num_heads: Annotated[int, Ge(0), Le(LARGEST_DIMENSION)] = 0
    head_values: Annotated[int, Ge(0)] = 0
    value_dtype: Literal["float32", "bfloat16", "float16"] | None = None
    chunk_tokens: Annotated[int, Ge(0), Le(LARGEST_DIMENSION)] = 0
    projected_width: Annotated[int, Ge(0)] = 0


class VisionEncoder(Facts):
    """What turns images into tokens before the language model sees them.

    - `gated`: its feed-forward layers have a gate projection
    - `patches_per_token`: patches of an image that are merged into one token
    - `tokens_per_image`: of the largest image that it is profiled with
    """

    hidden_size: Dimension
    intermediate_size: Dimension
    num_layers: Dimension
    gated: bool = False
    patch_size: Dimension
    patches_per_token: Dimension
    tokens_per_image: Dimension

    @property
    def parameters(self) -> int:
        """About how many weights its layers have."""
        projections = 3 if self.gated else 2
        layer = 4 * self.hidden_size**2 + projections * self.hidden_size * self.intermediate_size
        return self.num_layers * layer


class Quantization(Facts):
    """How the weights are stored: `method` is Hugging Face's `quant_method`.

    - `scheme`: the variant of the method, such as ModelOpt's `quant_algo`
    - `symmetric`, `zero_point`: as GPTQ and AWQ say it; None if they do not
    - `file`: where it stands if not in config.json
    - `assumed`: only the repository's name says it
    """

    method: str
    bits: Annotated[int, Ge(1), Le(16)]
    group_size: Dimension | None = None
    scheme: str | None = None
    symmetric: bool | None = None
    zero_point: bool | None = None
    file: str | None = None
    assumed: bool = False


class RopeParameters(Facts):
    """What a config.json says in `rope_parameters`, as transformers 5 writes it.

    theta: the base, None if it stands beside the key as well, or nowhere.
    """

    theta: float | None = None


class LlmArchitecture(Facts):
    """The dimensions of one LLM, under their config.json names.

    `sliding_window` is None unless the window is active; then `sliding_window_layers`
    says how many of the layers slide. For MLA, `head_dim` is the query's
    (`qk_nope_head_dim + qk_rope_head_dim`).

    - `v_head_dim`, `sliding_num_key_value_heads`, `sliding_head_dim`, `sliding_v_head_dim`: None
      if they are like the others
    - `states_window`: whether config.json states a window, even if no layer slides; None if that is
      not known
    - `rope_parameters`: None if config.json has `rope_scaling` or neither; `rope_scaling` holds the
      scaling of both
    - `full_attention_layers`: layers that keep every token; None if all do that do not slide
    - `state_layers`: layers that keep a state instead, or beside it
    - `expert_input_size`: of what the experts work on; None if it is the hidden state
    - `feed_forward_parameters`: weights of all feed-forward layers, if they differ; else None
    - `vision`: the encoder of images; None if there is none, or its numbers are not known
    - `encoder`: every token attends to all, as in BERT: nothing is generated, nothing need be kept
    - `num_labels`: of a class with a classification head; None without one
    - `index_head_dim`: of the keys that sparse attention caches to choose tokens by
    - `index_layers`: layers that have such keys; None if all have
    """

    model_type: str
    architecture: str | None = None
    num_hidden_layers: Dimension
    hidden_size: Dimension
    intermediate_size: Dimension
    num_attention_heads: Dimension
    num_key_value_heads: Dimension
    head_dim: Dimension
    vocab_size: Dimension
    max_position_embeddings: Dimension
    rope_scaling: dict[str, int | float | str] | None = None
    rope_parameters: RopeParameters | None = None
    torch_dtype: Literal["float16", "bfloat16", "float32"]
    tie_word_embeddings: bool
    attention: Attention
    num_experts: Dimension | None = None
    num_experts_per_tok: Dimension | None = None
    num_shared_experts: Dimension | None = None
    num_moe_layers: Dimension | None = None
    moe_intermediate_size: Dimension | None = None
    expert_input_size: Dimension | None = None
    feed_forward_parameters: Annotated[int, Ge(0)] | None = None
    sliding_window: Dimension | None = None
    sliding_window_layers: Dimension | None = None
    states_window: bool | None = None
    v_head_dim: Dimension | None = None
    sliding_num_key_value_heads: Dimension | None = None
    sliding_head_dim: Dimension | None = None
    sliding_v_head_dim: Dimension | None = None
    full_attention_layers: Annotated[int, Ge(0)] | None = None
    state_layers: StateLayers | None = None
    index_head_dim: Dimension | None = None
    index_layers: Dimension | None = None
    encoder: bool = False
    num_labels: Dimension | None = None
    multimodal: bool = False
    vision: VisionEncoder | None = None

    def __hash__(self) -> int:
        # Not of all fields, as frozen models have it: rope_scaling is a mapping, without a hash.
        return hash((self.model_type, self.num_hidden_layers, self.hidden_size, self.vocab_size))

    @model_validator(mode="after")
    def _dimensions_agree(self) -> Self:
        if self.num_attention_heads % self.num_key_value_heads:
            msg = (
                f"num_key_value_heads {self.num_key_value_heads} does not divide "
                f"num_attention_heads {self.num_attention_heads}"
            )
            raise ValueError(msg)
        if (self.sliding_window is None) != (self.sliding_window_layers is None):
            msg = "sliding_window and sliding_window_layers are given together or not at all"
            raise ValueError(msg)
        if (self.sliding_window_layers or 0) > self.num_hidden_layers:
            msg = f"sliding_window_layers exceeds the {self.num_hidden_layers} layers"
            raise ValueError(msg)
        return self

    @property
    def parameters(self) -> int:
        """About how many weights there are: embeddings, attention, feed-forward, experts.

        Within some 10 % for ordinary layers; MLA's low ranks are counted as full, and layers of
        kinds that are not described here are not counted.
        """
        tables = 1 if self.tie_word_embeddings else 2
        weights = tables * self.vocab_size * self.hidden_size + self._attention_parameters
        if self.feed_forward_parameters is not None:
            return weights + self.feed_forward_parameters
        moe_layers = (self.num_moe_layers or 0) if self.num_experts else 0
        wide = self.moe_intermediate_size or self.intermediate_size
        expert = 3 * (self.expert_input_size or self.hidden_size) * wide
        experts = (self.num_experts or 0) + (self.num_shared_experts or 0)
        # An encoder's feed-forward layer has no gate.
        dense = (2 if self.encoder else 3) * self.hidden_size * self.intermediate_size
        dense *= self.num_hidden_layers - moe_layers
        return weights + dense + moe_layers * experts * expert

    @property
    def _attention_parameters(self) -> int:
        """Weights of attention, and of what stands in its place, in all layers."""
        hidden = self.hidden_size
        heads = self.num_attention_heads + self.num_key_value_heads
        attention = 2 * hidden * heads * self.head_dim
        if self.attention.kind is AttentionKind.MLA:
            attention = hidden * self.num_attention_heads * self.head_dim
        states = self.state_layers
        layers = self.num_hidden_layers
        if states is not None or self.feed_forward_parameters is not None:
            # Other layers without a cache share that of one before them, and attend.
            kept = self.full_attention_layers
            layers = layers if kept is None else kept + (self.sliding_window_layers or 0)
        inside = states.num_layers * states.projected_width if states else 0
        return layers * attention + inside * hidden

    @property
    def kv_values_per_token_per_layer(self) -> int:
        """Values that one token adds to the KV cache of one layer, before tensor parallelism.

        MLA caches one latent and one rotary key; the others a key and a value per KV head.
        """
        if self.attention.kind is AttentionKind.MLA:
            return (self.attention.kv_lora_rank or 0) + (self.attention.qk_rope_head_dim or 0)
        return self.num_key_value_heads * (self.head_dim + (self.v_head_dim or self.head_dim))

    @property
    def longest_context(self) -> int:
        """Longest `max_model_len`, in tokens, that vLLM accepts without an override.

        vLLM (`_get_and_verify_max_len`) multiplies the position limit by the RoPE factor,
        from the original limit for yarn, unless the limit already contains the factor
        (llama3, longrope, Gemma 3).
        """
        scaling = self.rope_scaling or {}
        rope_type = scaling.get("rope_type", "default")
        if rope_type in ("default", "su", "longrope", "llama3", "mrope"):
            return self.max_position_embeddings
        if self.model_type.startswith("gemma3"):
            return self.max_position_embeddings
        factor = scaling.get("factor", 1.0)
        start = self.max_position_embeddings
        if rope_type == "yarn":
            original = scaling.get("original_max_position_embeddings", start)
            start = original if isinstance(original, int) else start
        return int(start * factor) if isinstance(factor, int | float) else start
