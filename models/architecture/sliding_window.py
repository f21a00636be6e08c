"""Which layers of a model attend to a window instead of the whole context.

A window in a config.json is often inactive: switched off, set for layers that the model
does not have, or as long as the context. Only an active one is reported.
"""

from models.architecture.config_fields import Fields


def sliding_window(
    fields: Fields, text_type: str, layers: int, positions: int
) -> tuple[int | None, int | None]:
    """Return the active window in tokens and the number of layers that slide, or two Nones.

    vLLM applies a plain `sliding_window` to every layer unless the architecture
    alternates.
    """
    sliding = _sliding_layers(fields, text_type, layers)
    if not fields.has("sliding_window") or not fields.flag("use_sliding_window", default=True):
        return None, None
    # qwen2 and its relatives slide only if their config says so.
    if text_type.startswith("qwen") and not fields.flag("use_sliding_window", default=False):
        return None, None
    window = fields.count("sliding_window")
    if not window or window >= positions or not sliding:
        return None, None
    return window, sliding


def _sliding_layers(fields: Fields, text_type: str, layers: int) -> int:
    layer_types = fields.texts("layer_types")
    if layer_types:
        if len(layer_types) != layers:
            raise fields.error(
                "layer_types", f"has {len(layer_types)} entries for {layers} layers", value="list"
            )
        if other := set(layer_types) - {"full_attention", "sliding_attention", "chunked_attention"}:
            raise fields.error(
                "layer_types",
                "holds layers without a KV cache of attention heads",
                value=min(other),
            )
        return layer_types.count("sliding_attention")
    if text_type.startswith("qwen"):
        first = fields.count("max_window_layers")
        return max(layers - (layers if first is None else first), 0)
    if text_type in ("gemma2", "gpt_oss"):
        return (layers + 1) // 2
    default = {"gemma3_text": 6, "cohere2": 4}.get(text_type)
    pattern = fields.integer("sliding_window_pattern", default=default or 1)
    # Every `pattern`th layer attends to everything; without a pattern all layers slide.
    return layers - layers // pattern if pattern > 1 else layers
