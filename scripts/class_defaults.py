"""Writes models/architecture/class_defaults.json: what a config.json may leave to its class.

    uv run --no-project --with transformers==VERSION python scripts/class_defaults.py

A nested text_config is written without the values that equal its class's, and older files without
fields that came later. The classes are those of transformers, which vLLM reads a config.json with;
the version is that of the newest pinned vLLM. Only the names of FIELDS are kept, and no sizes that
a class computes from others. `nested_text_configs` are the model types whose class keeps the
language model's values in a text_config, however the file is written. Nothing of it needs PyTorch.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

TARGET: Final = (
    Path(__file__).resolve().parent.parent / "models" / "architecture" / "class_defaults.json"
)
# The fields that models/architecture reads.
FIELDS: Final = tuple(
    """
    attn_layer_offset attn_layer_period chunk_size conv_L_cache conv_kernel decoder_sparse_step
    expand expert_layer_period first_k_dense_replace full_attention_interval global_head_dim
    head_dim hidden_size index_head_dim index_topk index_topk_freq interleave_moe_layer_step
    intermediate_size kv_lora_rank linear_conv_kernel_dim linear_head_dim linear_key_head_dim
    linear_num_heads linear_num_key_heads linear_num_value_heads linear_value_head_dim
    mamba_chunk_size mamba_d_conv mamba_d_state mamba_expand mamba_head_dim mamba_n_groups
    mamba_n_heads mamba_ngroups mamba_num_heads max_position_embeddings moe_intermediate_size
    moe_latent_size moe_shared_expert_intermediate_size n_groups n_mamba_heads n_routed_experts
    n_shared_experts num_attention_heads num_dense_layers num_experts num_experts_per_tok
    num_hidden_layers num_key_value_heads num_kv_shared_layers num_local_experts qk_nope_head_dim
    qk_rope_head_dim sliding_window ssm_state_size use_sliding_window v_head_dim vocab_size
    """.split()  # noqa: SIM905 - words read better than a wall of quotes
)
# A class without these is no decoder LLM.
DECODER: Final = ("hidden_size", "num_hidden_layers", "vocab_size", "max_position_embeddings")


def defaults(kind: type[Any]) -> dict[str, int | bool]:
    """The values that a class of configurations sets; an alias counts as the field it names."""
    aliases = {alias: name for name, alias in getattr(kind, "attribute_map", {}).items()}
    found: dict[str, int | bool] = {}
    for name in FIELDS:
        value = getattr(kind, name, None)
        if not isinstance(value, bool | int):
            value = getattr(kind, aliases.get(name, name), None)
        if isinstance(value, bool | int) and (isinstance(value, bool) or value >= 0):
            found[name] = value
    return found


def main() -> None:
    """Write the defaults of all decoders that the installed transformers knows."""
    import transformers
    from transformers import CONFIG_MAPPING

    rows: dict[str, dict[str, int | bool]] = {}
    nested: list[str] = []
    for model_type in sorted(CONFIG_MAPPING):
        try:
            whole = CONFIG_MAPPING[model_type]()
            text = whole.get_text_config(decoder=True)
        except Exception as error:
            print(f"{model_type}: {type(error).__name__}", file=sys.stderr)
            continue
        row = defaults(type(text))
        if not getattr(text, "is_encoder_decoder", False) and row.keys() >= set(DECODER):
            rows[model_type] = row
            if text is not whole and getattr(whole, "text_config", None) is text:
                nested.append(model_type)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    source = json.dumps(f"transformers {transformers.__version__}, by scripts/class_defaults.py")
    TARGET.write_text(
        f'{{"source": {source},\n"nested_text_configs": {json.dumps(nested)},\n'
        f'"defaults": {{\n{lines}\n}}}}\n'
    )
    print(f"{len(rows)} model types of transformers {transformers.__version__}")


if __name__ == "__main__":
    main()
