"""RoPE scaling: whether an override has the fields that its type needs."""

from collections.abc import Iterable

from models.catalog import vllm_behaviour
from models.problems import Problem
from planning.checks.contexts import EntryContext
from planning.sizing.rope_scaling import rope_scaling_of


def rope_scaling_problems(context: EntryContext) -> Iterable[Problem]:
    """What vLLM requires and the override lacks.

    patch_rope_scaling_dict wants a type (https://github.com/runpod-workers/worker-vllm/issues/257),
    get_rope the type's own fields.
    """
    engine, vllm = context.engine, context.vllm
    scaling = rope_scaling_of(engine)
    if scaling is None or vllm is None:
        return
    stated = "rope_scaling" if engine.get("rope_scaling") else "hf_overrides"
    where = f"{context.path}.engine.{stated}"
    kind = scaling.get("rope_type")
    if kind is None:
        yield Problem(
            path=where,
            reason="has no rope_type, which vLLM requires",
            remedy="Add rope_type: yarn, or copy rope_scaling from the model's card",
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
