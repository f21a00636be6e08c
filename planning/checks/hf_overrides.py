"""Overrides of config.json in `hf_overrides`: values that vLLM cannot compute with, wrong places.

vLLM hands them to transformers, and nothing looks at them before a replica starts. What is refused
was seen with vLLM 0.10.0 and 0.29.0 themselves.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeGuard

from models.architecture import has_text_config
from models.catalog import nearest_ray, vllm_behaviour
from models.problems import Problem
from models.values_meant import ways_to_release
from models.ways_out import WayOut, leave_out, move, together, use
from planning.checks.contexts import EntryContext
from planning.plan import ReleasePlan
from planning.sizing.rope_scaling import RopeOverride, rope_override, stated_ropes
from planning.sizing.stated_arguments import hf_overrides

_TEXT: Final = "hf_overrides.text_config"
_LIMIT: Final = "max_position_embeddings"
# The fields of RoPE scaling that vLLM and transformers multiply or divide.
_NUMBERS: Final = (
    "factor",
    "original_max_position_embeddings",
    "low_freq_factor",
    "high_freq_factor",
    "beta_fast",
    "beta_slow",
)
_POSITIVE: Final = frozenset({"factor", "original_max_position_embeddings", "rope_theta"})


def hf_override_problems(context: EntryContext) -> Iterable[Problem]:
    """Wrong values first: what cannot be read is not looked for elsewhere."""
    release = context.release
    if release is None:
        return
    values = tuple(_value_problems(context, release))
    yield from values or _place_problems(context, release)


def _value_problems(context: EntryContext, release: ReleasePlan) -> Iterable[Problem]:
    engine = f"{context.path}.engine"
    overrides = hf_overrides(context.engine)
    text = overrides.get("text_config")
    if text is not None and not isinstance(text, Mapping):
        yield _wrong(f"{engine}.{_TEXT}", text, "a mapping", release)
    for path, values in (("hf_overrides", overrides), (_TEXT, text)):
        limit = values.get(_LIMIT) if isinstance(values, Mapping) else None
        if limit is not None and not _is_limit(limit, release):
            wanted = "a whole number of at least 1"
            yield _wrong(f"{engine}.{path}.{_LIMIT}", limit, wanted, release)
    for path, scaling in stated_ropes(context.engine):
        if scaling is not None and not isinstance(scaling, Mapping):
            yield _wrong(f"{engine}.{path}", scaling, "a mapping", release)
    override = rope_override(context.engine)
    if override is not None and _is_read(override.key, release):
        yield from _rope_values(override, engine, release)


def _rope_values(override: RopeOverride, engine: str, release: ReleasePlan) -> Iterable[Problem]:
    """Fields of a RoPE scaling that are no numbers, or not above 0."""
    reads = vllm_behaviour(release.vllm).rope_parameters
    names = (*_NUMBERS, "rope_theta") if reads == "all" else _NUMBERS
    for name in names:
        value, where = override.scaling.get(name), f"{engine}.{override.path}.{name}"
        if value is not None and not isinstance(value, bool | int | float):
            yield _wrong(where, value, "a number", release)
        elif name in _POSITIVE and _is_number(value) and not 0 < value < math.inf:
            yield _wrong(where, value, "a number above 0", release)


def _wrong(where: str, value: Any, wanted: str, release: ReleasePlan) -> Problem:
    vllm, shown = release.vllm, f'"{value}"' if isinstance(value, str) else value
    read = _is_read(where.rpartition(".")[2], release)
    return Problem(
        path=where,
        value=shown,
        reason=f"is not {wanted}, and vLLM {vllm} "
        + ("fails with it when a replica starts" if read else "does not read it"),
        remedy=f"Write {wanted}",
        rule="override-value",
        candidates=(*_unquoted(where, value), leave_out(where, "leave it out")),
    )


def _is_read(key: str, release: ReleasePlan) -> bool:
    """Whether a release looks at the key; the older ones do not at rope_parameters."""
    return key != "rope_parameters" or vllm_behaviour(release.vllm).rope_parameters != "nothing"


def _unquoted(where: str, value: Any) -> Iterable[WayOut]:
    """A number out of its quotes."""
    if not isinstance(value, str):
        return
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if not math.isfinite(number):
            return
        yield use(where, number, f"write {number} without quotes")
        return


def _is_limit(value: Any, release: ReleasePlan) -> bool:
    """Whether a context is one for the release: transformers 5 takes no 65536.0."""
    whole = vllm_behaviour(release.vllm).rope_parameters != "all" or isinstance(value, int)
    return whole and _is_number(value) and 1 <= value < math.inf


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _place_problems(context: EntryContext, release: ReleasePlan) -> Iterable[Problem]:
    """An override beside the text_config that vLLM reads, or in one that the model lacks."""
    architecture, override = context.architecture, rope_override(context.engine)
    nested = None if architecture is None else has_text_config(architecture.model_type)
    if nested is None:
        return
    overrides = hf_overrides(context.engine)
    if isinstance(overrides.get("text_config"), Mapping):
        yield from _inside(context, release, overrides["text_config"], nested=nested)
    elif nested and override is not None:
        yield _beside(context, release, override)


def _inside(
    context: EntryContext, release: ReleasePlan, text: Mapping[str, Any], *, nested: bool
) -> Iterable[Problem]:
    where = f"{context.path}.engine.{_TEXT}"
    if not nested:
        above = f"{context.path}.engine.hf_overrides"
        up = (move(f"{where}.{name}", f"{above}.{name}", "") for name in text)
        yield Problem(
            path=where,
            reason=f"is no part of this model's configuration, and vLLM {release.vllm} would look "
            "for the whole model in it",
            remedy="Write what is in it into hf_overrides itself",
            rule="override-place",
            candidates=(
                together("write what is in it into hf_overrides itself", *up, leave_out(where)),
                leave_out(where, "leave it out"),
            ),
        )
    elif not _updates_nested(release.vllm):
        ray = nearest_ray(lambda row: _updates_nested(row.vllm), release.ray.ray)
        yield Problem(
            path=where,
            reason=f"replaces the whole text_config in vLLM {release.vllm}, which then cannot make "
            "the model",
            remedy="Leave it out",
            rule="override-place",
            candidates=(
                leave_out(where, "leave it out"),
                *ways_to_release(ray, ", whose vLLM changes single values of it"),
            ),
        )


def _beside(context: EntryContext, release: ReleasePlan, override: RopeOverride) -> Problem:
    where = f"{context.path}.engine.{override.path}"
    inside = f"{context.path}.engine.{_TEXT}.{override.key}"
    into = move(where, inside, f"write it as hf_overrides.text_config.{override.key}")
    refused = vllm_behaviour(release.vllm).rope_parameters == "all" and (
        override.key == "rope_scaling"
    )
    return Problem(
        path=where,
        reason=f"stands beside the text_config from which vLLM {release.vllm} reads the positions "
        f"of this model, and is {'refused' if refused else 'ignored'} there",
        remedy="Write it into hf_overrides.text_config"
        if _updates_nested(release.vllm)
        else "Leave the override out",
        rule="override-place",
        candidates=(into, leave_out(where, "leave the override out")),
    )


def _updates_nested(vllm: str) -> bool:
    return vllm_behaviour(vllm).nested_overrides
