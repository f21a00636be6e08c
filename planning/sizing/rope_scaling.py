"""RoPE scaling: the override of a model's position embeddings that stretches its context.

Up to vLLM 0.11 there is an engine argument `rope_scaling`; all releases take it in `hf_overrides`.
If a field is missing, vLLM fails when it builds the model, on the GPU node.
"""

from collections.abc import Mapping
from typing import Any


def rope_scaling_of(engine: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The override in `rope_scaling` or `hf_overrides`, its type under `rope_type`; else None."""
    scaling = engine.get("rope_scaling")
    if not scaling and isinstance(engine.get("hf_overrides"), Mapping):
        overrides = engine["hf_overrides"]
        scaling = overrides.get("rope_scaling") or overrides.get("rope_parameters")
    if not isinstance(scaling, Mapping) or not scaling:
        return None
    if "rope_type" in scaling or "type" not in scaling:
        return scaling
    return {**scaling, "rope_type": scaling["type"]}
