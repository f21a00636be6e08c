"""RoPE scaling: whether this vLLM reads it, and whether it has the fields that its type needs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from models.architecture import LlmArchitecture
from models.catalog import (
    nearest_ray,
    older_rope_types,
    own_rope_parameters,
    rope_scaling_fields,
    vllm_behaviour,
)
from models.problems import Problem
from models.spelling import nearest_of
from models.values_meant import ways_to_release
from models.ways_out import WayOut, leave_out, meant, move, outside, use
from planning.checks.contexts import EntryContext
from planning.plan import ReleasePlan
from planning.sizing.rope_scaling import RopeOverride, rope_override
from planning.sizing.stated_arguments import hf_overrides

_RULE: Final = "rope-scaling"
_ORIGINAL: Final = "original_max_position_embeddings"
# The fields of a type that the reader of config.json keeps; longrope has its own beside the key.
_READ_OF_FILES: Final = ("factor", _ORIGINAL)
_NOT_IN_FILES: Final = frozenset({"longrope"})
_DEFAULT_BASE: Final = 10_000  # get_rope, if rope_theta is nowhere


def rope_scaling_problems(context: EntryContext) -> Iterable[Problem]:
    """What vLLM requires and an override or a config.json lacks.

    patch_rope_scaling_dict wants a type (https://github.com/runpod-workers/worker-vllm/issues/257),
    get_rope the type's own fields.
    """
    release, architecture = context.release, context.architecture
    override = rope_override(context.engine)
    if release is None:
        return
    if override is not None:
        yield from _override_problems(context, override, release)
    elif architecture is not None and context.deployment.config_file is not None:
        yield from _file_problems(context, architecture, release)


def _override_problems(
    context: EntryContext, override: RopeOverride, release: ReleasePlan
) -> Iterable[Problem]:
    where = f"{context.path}.engine.{override.path}"
    unread = tuple(_unread(context, override, release, where))
    yield from unread
    if unread:
        return
    scaling, kind = override.scaling, override.kind
    if kind is None:
        by_itself = _reads(release) == "all" and override.key == "rope_scaling"
        yield Problem(
            path=where,
            reason="has no rope_type, "
            + (f"and vLLM {release.vllm} would ignore it" if by_itself else "which vLLM requires"),
            remedy=f"Copy {override.key} from the model's card",
            rule=_RULE,
            candidates=(
                use(f"{where}.rope_type", "yarn", "add rope_type: yarn"),
                _without(where),
                outside(f"copy {override.key} from the model's card"),
            ),
        )
        return
    if "type" in scaling and scaling["type"] != kind:
        yield Problem(
            path=where,
            value=str(kind),
            reason=f"contradicts the older field type, which is {scaling['type']}",
            remedy="Keep rope_type alone",
            rule=_RULE,
            candidates=(leave_out(f"{where}.type", "keep rope_type alone"),),
        )
    known = _types(release.vllm, override=True)
    fields = known.get(str(kind))
    if fields is None:
        yield _unknown(where, scaling, release, override)
        return
    if kind == "dynamic" and "alpha" in scaling:
        fields = ()
    if _reads(release) == "all" and override.key == "rope_scaling":
        # transformers 5 takes the model's own limit for it.
        fields = tuple(field for field in fields if field != _ORIGINAL)
    missing = [field for field in fields if scaling.get(field) is None]
    if missing:
        yield Problem(
            path=where,
            reason=f"lacks {' and '.join(missing)}, without which vLLM cannot build {kind}",
            remedy=f"Add {missing[0]}"
            + (": the model's own limit" if missing[0].startswith("original") else ""),
            rule=_RULE,
            candidates=_completed(context, where, missing),
        )
    factor = scaling.get("factor")
    if "factor" in fields and isinstance(factor, int | float) and factor < 1:
        yield Problem(
            path=f"{where}.factor",
            value=factor,
            reason="is below 1 and would shorten the context",
            remedy="Use a factor above 1",
            rule=_RULE,
            candidates=(_without(where),),
        )


def _unread(
    context: EntryContext, override: RopeOverride, release: ReleasePlan, where: str
) -> Iterable[Problem]:
    """A key or a field of it that the release's transformers reads under another name."""
    reads = _reads(release)
    if override.key == "rope_parameters" and reads == "nothing":
        yield Problem(
            path=where,
            reason=f"is not read by vLLM {release.vllm}, whose transformers 4 calls it "
            "rope_scaling",
            remedy="Write rope_scaling",
            rule=_RULE,
            candidates=(_renamed(where, "rope_scaling"), _without(where)),
        )
    elif override.key == "rope_scaling" and reads == "all" and not _has_base(context, override):
        yield Problem(
            path=where,
            reason="has no rope_theta, and it replaces the model's own, without which vLLM "
            f"{release.vllm} cannot build the model",
            remedy="Write rope_parameters, which keeps it",
            rule=_RULE,
            candidates=(_renamed(where, "rope_parameters"), _without(where)),
        )
    elif (
        override.key == "rope_parameters"
        and reads == "all"
        and "rope_type" not in (override.scaling)
        and override.kind is not None
    ):
        yield Problem(
            path=f"{where}.type",
            value=str(override.kind),
            reason=f"is the older name of rope_type, which vLLM {release.vllm} needs there",
            remedy="Write rope_type",
            rule=_RULE,
            candidates=(_renamed(f"{where}.type", "rope_type"), _without(where)),
        )


def _has_base(context: EntryContext, override: RopeOverride) -> bool:
    if override.path.startswith("hf_overrides.text_config."):
        return True  # a text_config is changed, not replaced, and keeps its base
    beside = hf_overrides(context.engine).get("rope_theta") is not None
    return beside or override.scaling.get("rope_theta") is not None


def _unknown(
    where: str, scaling: Mapping[str, Any], release: ReleasePlan, override: RopeOverride
) -> Problem:
    kind = str(override.kind)
    known = _types(release.vllm, override=True)
    newer = older_rope_types(release.vllm).get(kind)
    near = newer or nearest_of(kind, known)
    field = "rope_type" if "rope_type" in scaling else "type"
    ray = nearest_ray(
        lambda row: (
            kind in _types(row.vllm, override=True)
            and override.path.partition(".")[0] == "hf_overrides"
        ),
        release.ray.ray,
    )
    return Problem(
        path=f"{where}.{field}",
        value=kind,
        reason=f"is not a kind of RoPE scaling that vLLM {release.vllm} knows"
        + (" in an override" if newer else ""),
        remedy=f"The kinds are {', '.join(known)}",
        rule=_RULE,
        candidates=(
            *(() if near is None else (meant(f"{where}.{field}", near),)),
            _without(where),
            *(() if newer else ways_to_release(ray, ", whose vLLM has it")),
        ),
    )


def _file_problems(
    context: EntryContext, architecture: LlmArchitecture, release: ReleasePlan
) -> Iterable[Problem]:
    """A config.json whose RoPE this release reads otherwise, or cannot build."""
    where = f"{context.path}.configFile"
    scaling, file = architecture.rope_scaling or {}, context.deployment.config_file
    reads, parameters = _reads(release), architecture.rope_parameters
    own = architecture.model_type in own_rope_parameters(release.vllm)
    if parameters is not None and reads != "all" and not own:
        lost = []
        if parameters.theta not in (None, _DEFAULT_BASE):
            lost.append(f"the base {parameters.theta:g}")
        if scaling and reads == "nothing":
            lost.append(f"the scaling by {scaling['rope_type']}")
        if lost:
            ray = nearest_ray(lambda row: _reads_all(row.vllm), release.ray.ray)
            yield Problem(
                path=where,
                value=file,
                reason=f"was written by transformers 5, with rope_parameters: vLLM {release.vllm} "
                f"would not read {' and '.join(lost)} and serve wrong answers",
                remedy="Use a config.json with rope_theta and rope_scaling",
                rule=_RULE,
                candidates=(
                    *ways_to_release(ray, ", whose transformers reads it"),
                    outside("use a config.json with rope_theta and rope_scaling"),
                ),
            )
            return
    if not scaling:
        return
    kind = str(scaling["rope_type"])
    fields = _types(release.vllm, override=False).get(kind)
    if fields is None:
        ray = nearest_ray(lambda row: kind in _types(row.vllm, override=False), release.ray.ray)
        yield Problem(
            path=where,
            value=file,
            reason=f"has RoPE scaling of type {kind}, which vLLM {release.vllm} does not know",
            remedy="Choose another model",
            rule=_RULE,
            candidates=(
                *ways_to_release(ray, ", whose vLLM has it"),
                outside("choose another model"),
            ),
        )
        return
    if kind in _NOT_IN_FILES:
        return
    missing = [name for name in fields if name in _READ_OF_FILES and name not in scaling]
    if reads == "all":
        missing = [name for name in missing if name != _ORIGINAL]
    if missing:
        yield Problem(
            path=where,
            value=file,
            reason=f"lacks {' and '.join(missing)} in its RoPE scaling, without which vLLM "
            f"{release.vllm} cannot build {kind}",
            remedy="Use the publisher's config.json",
            rule=_RULE,
            candidates=(
                *_ways_to_read(missing, release),
                outside("use the publisher's config.json"),
            ),
        )


def _ways_to_read(missing: Sequence[str], release: ReleasePlan) -> Iterable[WayOut]:
    """A release that takes the model's own limit for what is missing."""
    if list(missing) == [_ORIGINAL]:
        ray = nearest_ray(lambda row: _reads_all(row.vllm), release.ray.ray)
        yield from ways_to_release(ray, ", which takes the model's own limit")


def _reads(release: ReleasePlan) -> str:
    return vllm_behaviour(release.vllm).rope_parameters


def _reads_all(vllm: str) -> bool:
    return vllm_behaviour(vllm).rope_parameters == "all"


def _types(vllm: str, *, override: bool) -> Mapping[str, tuple[str, ...]]:
    """The known types with their fields; older names are replaced, but not all in overrides."""
    types, older = rope_scaling_fields(vllm), older_rope_types(vllm)
    if override and _reads_all(vllm):
        return {kind: fields for kind, fields in types.items() if kind not in older}
    sections = {"mrope": ("mrope_section",)}
    return {
        **types,
        **{name: (*types[new], *sections.get(name, ())) for name, new in older.items()},
    }


def _renamed(path: str, key: str) -> WayOut:
    return move(path, f"{path.rpartition('.')[0]}.{key}", f"write {key}")


def _without(where: str) -> WayOut:
    return leave_out(where, "leave the override out")


def _completed(context: EntryContext, where: str, missing: Sequence[str]) -> Iterable[WayOut]:
    """The model's own limit as the original length, which is what its publisher would write."""
    architecture = context.architecture
    if architecture is not None and list(missing) == [_ORIGINAL]:
        limit = architecture.max_position_embeddings
        words = f"add {_ORIGINAL}: {limit}, the model's own limit"
        yield use(f"{where}.{_ORIGINAL}", limit, words)
    yield _without(where)
