"""RoPE scaling: the override of a model's position embeddings that stretches its context.

Up to vLLM 0.11 there is an engine argument `rope_scaling`; all releases take it in `hf_overrides`,
under the name that the transformers of the release writes. If a field is missing, vLLM fails when
it builds the model, on the GPU node.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planning.sizing.stated_arguments import hf_overrides


@dataclass(frozen=True, kw_only=True)
class RopeOverride:
    """The override of an entry.

    path: where it stands below `engine`: `rope_scaling`, or that or `rope_parameters` in
        `hf_overrides` or its `text_config`.
    scaling: as it is stated.
    """

    path: str
    scaling: Mapping[str, Any]

    @property
    def key(self) -> str:
        """`rope_scaling` or `rope_parameters`."""
        return self.path.rpartition(".")[2]

    @property
    def kind(self) -> Any:
        """The type of the scaling, in the newer or the older field; None if there is none."""
        return self.scaling.get("rope_type", self.scaling.get("type"))


def rope_override(engine: Mapping[str, Any]) -> RopeOverride | None:
    """The override that an entry states, None if it states none."""
    for path, scaling in stated_ropes(engine):
        if isinstance(scaling, Mapping) and scaling:
            return RopeOverride(path=path, scaling=scaling)
    return None


def stated_ropes(engine: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The paths below `engine` where an override may stand, with what stands there or None."""
    names, overrides = ("rope_scaling", "rope_parameters"), hf_overrides(engine)
    stated = [("rope_scaling", engine.get("rope_scaling"))]
    stated += [(f"hf_overrides.{name}", overrides.get(name)) for name in names]
    # Where models that take images have the configuration of their text part.
    text = overrides.get("text_config")
    if isinstance(text, Mapping):
        stated += [(f"hf_overrides.text_config.{name}", text.get(name)) for name in names]
    return stated


def rope_scaling_of(engine: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The override in `rope_scaling` or `hf_overrides`, its type under `rope_type`; else None."""
    override = rope_override(engine)
    if override is None:
        return None
    if override.kind is None or "rope_type" in override.scaling:
        return override.scaling
    return {**override.scaling, "rope_type": override.kind}
