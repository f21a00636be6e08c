"""RoPE scaling: whether an override has the fields that its type needs."""

from collections.abc import Iterable, Sequence
from typing import Final

from models.catalog import vllm_behaviour
from models.problems import Problem
from models.spelling import nearest_of
from models.ways_out import WayOut, leave_out, meant, outside, use
from planning.checks.contexts import EntryContext
from planning.sizing.rope_scaling import rope_scaling_of

_ORIGINAL: Final = "original_max_position_embeddings"


def _completed(context: EntryContext, where: str, missing: Sequence[str]) -> Iterable[WayOut]:
    """The model's own limit as the original length, which is what its publisher would write."""
    architecture = context.architecture
    if architecture is not None and list(missing) == [_ORIGINAL]:
        limit = architecture.max_position_embeddings
        words = f"add {_ORIGINAL}: {limit}, the model's own limit"
        yield use(f"{where}.{_ORIGINAL}", limit, words)
    yield leave_out(where, "leave the override out")


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
            remedy="Copy rope_scaling from the model's card",
            rule="rope-scaling",
            candidates=(
                use(f"{where}.rope_type", "yarn", "add rope_type: yarn"),
                leave_out(where, "leave the override out"),
                outside("copy rope_scaling from the model's card"),
            ),
        )
        return
    if "type" in scaling and scaling["type"] != kind:
        yield Problem(
            path=where,
            value=str(kind),
            reason=f"contradicts the older field type, which is {scaling['type']}",
            remedy="Keep rope_type alone",
            rule="rope-scaling",
            candidates=(leave_out(f"{where}.type", "keep rope_type alone"),),
        )
    types = vllm_behaviour(vllm).rope_scaling_fields
    fields = types.get(str(kind))
    if fields is None:
        near = nearest_of(str(kind), types)
        yield Problem(
            path=f"{where}.rope_type",
            value=str(kind),
            reason="is not a kind of RoPE scaling that vLLM knows",
            remedy=f"The kinds are {', '.join(types)}",
            rule="rope-scaling",
            candidates=(
                *(() if near is None else (meant(f"{where}.rope_type", near),)),
                leave_out(where, "leave the override out"),
            ),
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
            candidates=_completed(context, where, missing),
        )
    factor = scaling.get("factor")
    if "factor" in fields and isinstance(factor, int | float) and factor < 1:
        yield Problem(
            path=f"{where}.factor",
            value=factor,
            reason="is below 1 and would shorten the context",
            remedy="Use a factor above 1",
            rule="rope-scaling",
            candidates=(leave_out(where, "leave the override out"),),
        )
