"""Reads the layers that keep a state of fixed size of each sequence instead of a cache.

Each family writes the sizes under names of its own. They are those that the classes in
vllm/model_executor/models read (get_mamba_state_shape_from_config) and put into
MambaStateShapeCalculator.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from models.architecture.config_fields import Fields
from models.architecture.llm_architecture import StateKind, StateLayers

_STATE_DTYPES: Final = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class _Mamba2Names:
    """Under which names a family of Mamba-2 layers writes their sizes."""

    heads: str
    head_dim: str
    groups: str
    state: str
    kernel: str
    expand: str
    chunk: str
    inner: str | None = None


_NEMOTRON: Final = _Mamba2Names(
    heads="mamba_num_heads",
    head_dim="mamba_head_dim",
    groups="n_groups",
    state="ssm_state_size",
    kernel="conv_kernel",
    expand="expand",
    chunk="chunk_size",
)
_GRANITE: Final = _Mamba2Names(
    heads="mamba_n_heads",
    head_dim="mamba_d_head",
    groups="mamba_n_groups",
    state="mamba_d_state",
    kernel="mamba_d_conv",
    expand="mamba_expand",
    chunk="mamba_chunk_size",
    inner="mamba_d_ssm",
)
_ZAMBA: Final = _Mamba2Names(
    heads="n_mamba_heads",
    head_dim="mamba_headdim",
    groups="mamba_ngroups",
    state="mamba_d_state",
    kernel="mamba_d_conv",
    expand="mamba_expand",
    chunk="chunk_size",
)


def state_layers(fields: Fields, text_type: str, count: int) -> StateLayers:
    """Return the sizes of `count` layers; a family that is not described here raises.

    Raises NotComputedError for such a family.
    """
    read = _READERS.get(text_type)
    if read is None:
        raise fields.not_computed(
            "model_type",
            "has layers that keep a state instead of a KV cache, and the fit does not know how "
            "large that is",
            value=text_type,
        )
    return read(fields, count)


def _gated_delta_net(fields: Fields, count: int) -> StateLayers:
    heads = fields.integer("linear_num_value_heads")
    keys = fields.integer("linear_num_key_heads") * fields.integer("linear_key_head_dim")
    values = heads * fields.integer("linear_value_head_dim")
    return StateLayers(
        kind=StateKind.GATED_DELTA_NET,
        num_layers=count,
        convolution_channels=2 * keys + values,
        convolution_rows=fields.integer("linear_conv_kernel_dim") - 1,
        num_heads=heads,
        head_values=fields.integer("linear_value_head_dim") * fields.integer("linear_key_head_dim"),
        value_dtype=_dtype(fields, "mamba_ssm_dtype"),
        projected_width=2 * keys + 2 * values + 2 * heads + values,
    )


def _mamba2(names: _Mamba2Names) -> Callable[[Fields, int], StateLayers]:
    def read(fields: Fields, count: int) -> StateLayers:
        heads = fields.integer(names.heads)
        expanded = (fields.number(names.expand) or 2) * fields.integer("hidden_size")
        inner = int(expanded)
        if names.inner is not None and fields.has(names.inner):
            inner = fields.integer(names.inner)
        if fields.has(names.head_dim) and not fields.is_text(names.head_dim):
            head_dim = fields.integer(names.head_dim)
        else:
            head_dim = max(1, inner // heads)  # "auto" in Granite and Bamba
        if names is _NEMOTRON:
            inner = heads * head_dim
        groups, state = fields.integer(names.groups), fields.integer(names.state)
        return StateLayers(
            kind=StateKind.MAMBA2,
            num_layers=count,
            convolution_channels=inner,
            convolution_rows=fields.integer(names.kernel) - 1,
            convolution_groups=groups,
            group_channels=2 * state,
            num_heads=heads,
            head_values=head_dim * state,
            value_dtype=_dtype(fields, "mamba_ssm_cache_dtype"),
            chunk_tokens=fields.integer(names.chunk, default=_CHUNK_TOKENS),
            projected_width=3 * inner + 2 * groups * state + heads,
        )

    return read


def _mamba1(fields: Fields, count: int) -> StateLayers:
    hidden, state = fields.integer("hidden_size"), fields.integer("mamba_d_state")
    inner = fields.integer("mamba_expand") * hidden
    return StateLayers(
        kind=StateKind.MAMBA1,
        num_layers=count,
        convolution_channels=inner,
        convolution_rows=fields.integer("mamba_d_conv") - 1,
        num_heads=inner,
        head_values=state,
        chunk_tokens=_CHUNK_TOKENS,
        projected_width=3 * inner + (2 * state * inner + 2 * (hidden // 16) * inner) // hidden,
    )


def _short_convolution(fields: Fields, count: int) -> StateLayers:
    width = fields.integer("conv_dim", "hidden_size")
    return StateLayers(
        kind=StateKind.SHORT_CONVOLUTION,
        num_layers=count,
        convolution_channels=width,
        convolution_rows=fields.integer("conv_L_cache") - 1,
        projected_width=4 * width,
    )


def _lightning(fields: Fields, count: int) -> StateLayers:
    heads = fields.integer("num_attention_heads")
    size = fields.integer("head_dim", default=max(1, fields.integer("hidden_size") // heads))
    return StateLayers(
        kind=StateKind.LIGHTNING,
        num_layers=count,
        num_heads=heads,
        head_values=size * size,
        projected_width=5 * heads * size,
    )


def _kimi_delta(fields: Fields, count: int) -> StateLayers:
    inner = fields.nested("linear_attn_config") if fields.has("linear_attn_config") else fields
    heads = inner.integer("num_heads", "linear_num_heads")
    size = inner.integer("head_dim", "linear_head_dim")
    kernel = inner.integer("short_conv_kernel_size", "linear_conv_kernel_dim")
    return StateLayers(
        kind=StateKind.KIMI_DELTA,
        num_layers=count,
        convolution_channels=3 * heads * size,
        convolution_rows=kernel - 1,
        num_heads=heads,
        head_values=size * size,
        value_dtype="float32",  # kda_state_dtype
        projected_width=5 * heads * size,
    )


def _dtype(fields: Fields, name: str) -> str | None:
    """The dtype of a recurrent state, None if the file leaves it to vLLM."""
    value = (fields.text(name, default=None) or "").removeprefix("torch.")
    return value if value in _STATE_DTYPES else None


# get_mamba_chunk_size in vLLM: without a size of its own.
_CHUNK_TOKENS: Final = 2048
_READERS: Final[Mapping[str, Callable[[Fields, int], StateLayers]]] = {
    "bamba": _mamba2(_GRANITE),
    "falcon_h1": _mamba2(_GRANITE),
    "granitemoehybrid": _mamba2(_GRANITE),
    "jamba": _mamba1,
    "kimi_linear": _kimi_delta,
    "lfm2": _short_convolution,
    "lfm2_moe": _short_convolution,
    "minimax": _lightning,
    "minimax_m1": _lightning,
    "minimax_text_01": _lightning,
    "nemotron_h": _mamba2(_NEMOTRON),
    "olmo_hybrid": _gated_delta_net,
    "qwen3_5": _gated_delta_net,
    "qwen3_5_moe": _gated_delta_net,
    "qwen3_5_moe_text": _gated_delta_net,
    "qwen3_5_text": _gated_delta_net,
    "qwen3_next": _gated_delta_net,
    "zamba2": _mamba2(_ZAMBA),
}
