"""The weights of feed-forward layers where they differ from layer to layer.

Elsewhere they follow from the sizes (`LlmArchitecture.parameters`).
"""

from typing import Final

from models.architecture.config_fields import Fields

_MULTIPLE: Final = 256  # _find_multiple in vLLM's nemotron_nas.py


def block_widths(fields: Fields, hidden: int) -> list[int]:
    """The width of each layer of a model of NVIDIA's architecture search, 0 without one."""
    widths = []
    for block in fields.objects("block_configs"):
        part = block.nested("ffn")
        if part.flag("no_op", default=False):
            widths.append(0)
        elif part.has("ffn_mult"):
            wanted = int(2 * (part.number("ffn_mult") or 0) * hidden / 3)
            widths.append(-(-wanted // _MULTIPLE) * _MULTIPLE)
        else:
            widths.append(part.integer("intermediate_size"))
    return widths


def block_heads(fields: Fields, heads: int, layers: int) -> list[int]:
    """The KV heads of each of its layers, 0 where one does not attend."""
    counts = []
    blocks = fields.objects("block_configs")
    if len(blocks) != layers:
        raise fields.error(
            "block_configs", f"has {len(blocks)} entries for {layers} layers", value="list"
        )
    for block in blocks:
        part = block.nested("attention")
        idle = part.flag("no_op", default=False)
        counts.append(0 if idle else max(1, heads // part.integer("n_heads_in_group")))
    return counts


def feed_forward_weights(fields: Fields, text_type: str, hidden: int) -> int | None:
    """The weights of all feed-forward layers together; None if all layers have the same."""
    if fields.has("block_configs"):
        return 3 * hidden * sum(block_widths(fields, hidden))
    if text_type != "nemotron_h":
        return None
    # Layers of a feed-forward part alone, whose experts have no gate, between the others.
    letters = fields.text("hybrid_override_pattern", default=None) or ""
    names = fields.texts("layers_block_type") or fields.texts("layer_types")
    dense = letters.count("-") + names.count("mlp")
    sparse = letters.count("E") + names.count("moe")
    weights = 2 * hidden * fields.largest("intermediate_size") * dense
    if sparse:
        inside = fields.integer("moe_latent_size", default=hidden)
        expert = 2 * inside * fields.largest("moe_intermediate_size")
        width = fields.integer("moe_shared_expert_intermediate_size", default=1)
        layer = fields.integer("n_routed_experts") * expert + 2 * hidden * width
        weights += sparse * (layer + (2 * hidden * inside if inside != hidden else 0))
    return weights
