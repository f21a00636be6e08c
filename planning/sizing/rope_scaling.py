"""RoPE scaling: the override of a model's position embeddings that stretches its context.

It is an engine argument of its own up to vLLM 0.11 and lives in `hf_overrides` in all releases. A
field that is missing fails when the model is built, on the GPU node.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from models.catalog import vllm_behaviour
from models.problems import Problem


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


def rope_scaling_problems(engine: Mapping[str, Any], path: str, vllm: str) -> Iterable[Problem]:
    """What vLLM would miss in the override.

    patch_rope_scaling_dict wants a type (https://github.com/runpod-workers/worker-vllm/issues/257),
    get_rope the type's own fields.
    """
    scaling = rope_scaling_of(engine)
    if scaling is None:
        return
    stated = "rope_scaling" if engine.get("rope_scaling") else "hf_overrides"
    where = f"{path}.engine.{stated}"
    kind = scaling.get("rope_type")
    if kind is None:
        yield Problem(
            path=where,
            reason="has no rope_type, which vLLM wants first of all",
            remedy="Add rope_type: yarn, or take rope_scaling as the model's card writes it",
            rule="rope-scaling",
        )
        return
    if "type" in scaling and scaling["type"] != kind:
        yield Problem(
            path=where,
            value=str(kind),
            reason=f"contradicts the older field type, which is {scaling['type']}",
            remedy="Keep rope_type alone",
            rule="rope-scaling",
        )
    types = vllm_behaviour(vllm).rope_scaling_fields
    fields = types.get(str(kind))
    if fields is None:
        yield Problem(
            path=f"{where}.rope_type",
            value=str(kind),
            reason="is not a kind of RoPE scaling that vLLM knows",
            remedy=f"Use one of {', '.join(types)}",
            rule="rope-scaling",
        )
        return
    if kind == "dynamic" and "alpha" in scaling:
        fields = ()
    missing = [field for field in fields if scaling.get(field) is None]
    if missing:
        yield Problem(
            path=where,
            reason=f"lacks {' and '.join(missing)}, without which vLLM cannot build {kind}",
            remedy=f"Add {missing[0]}"
            + (": the model's own limit" if missing[0].startswith("original") else ""),
            rule="rope-scaling",
        )
    factor = scaling.get("factor")
    if "factor" in fields and isinstance(factor, int | float) and factor < 1:
        yield Problem(
            path=f"{where}.factor",
            value=factor,
            reason="is below 1 and would shorten the context",
            remedy="Use a factor above 1, or leave the override out",
            rule="rope-scaling",
        )
