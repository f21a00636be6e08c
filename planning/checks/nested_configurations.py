"""Values in configurations that an engine argument holds as a mapping, such as compilation_config.

Pydantic checks them when vLLM starts, on a GPU node that is already paid for. It reads a number or
a truth value from text, and so do these checks.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from models.catalog import (
    EngineArgument,
    closed_values,
    nearest_ray,
    nested_fields,
    vllm_behaviour,
)
from models.problems import Problem
from models.spelling import accepted, nearest
from models.values_meant import ways_from_field, ways_from_value
from models.ways_out import leave_out
from planning.checks.contexts import EntryContext
from planning.checks.engine_argument_values import bound_problems
from planning.checks.engine_arguments import types_in_words
from planning.plan import ReleasePlan

# https://docs.pydantic.dev/latest/concepts/conversion_table/
_TRUTH_VALUES: Final = frozenset(
    ["0", "off", "f", "false", "n", "no", "1", "on", "t", "true", "y", "yes"]
)
# Checked with the rest of speculative decoding, in speculative_decoding.py.
_ELSEWHERE: Final = frozenset(
    {"speculative_config.method", "speculative_config.num_speculative_tokens"}
)


def nested_configuration_problems(context: EntryContext) -> Iterable[Problem]:
    """Values of the wrong type, or that are not listed, in any depth."""
    release = context.release
    if release is None:
        return
    for name, value in context.engine.items():
        if name == "compilation_config" and not _reads_compilation(release.vllm):
            continue
        yield from _problems(release, name, value, f"{context.path}.engine")


def _problems(release: ReleasePlan, path: str, value: Any, engine: str) -> Iterable[Problem]:
    if not isinstance(value, Mapping):
        return
    fields = nested_fields(release.vllm).get(path, {})
    for name, inner in value.items():
        where = f"{path}.{name}"
        field = fields.get(name)
        if where in _ELSEWHERE:
            continue
        if field is None:
            yield from _unknown_field(release, path, str(name), f"{engine}.{where}")
        elif not _has_type(field, inner):
            yield _wrong_type(field, inner, f"{engine}.{where}", release)
        elif not _is_listed(field, inner):
            yield _unlisted(field, inner, where, f"{engine}.{where}", release)
        elif isinstance(inner, int | float) and not isinstance(inner, bool):
            yield from bound_problems(release.vllm, where, inner, f"{engine}.{where}")
        else:
            yield from _problems(release, where, inner, engine)


def _unknown_field(release: ReleasePlan, path: str, name: str, where: str) -> Iterable[Problem]:
    """A field that a configuration within one lacks; engine_argument_values looks at the outer.

    A mapping that is no configuration, such as `kv_connector_extra_config`, takes any field.
    """
    known = closed_values(release.vllm).get(path, frozenset())
    refuses = vllm_behaviour(release.vllm).refuses_fields_of(path.partition(".")[0])
    if "." not in path or not known or name in known or not refuses:
        return
    ray = nearest_ray(lambda row: name in closed_values(row.vllm).get(path, ()), release.ray.ray)
    yield Problem(
        path=where,
        reason=f"is not a field of {path} in vLLM {release.vllm}",
        remedy=f"{nearest(name, known)}Leave it out",
        rule="engine-argument-choice",
        candidates=ways_from_field(where, name, known, ray),
    )


def _wrong_type(field: EngineArgument, value: Any, where: str, release: ReleasePlan) -> Problem:
    wanted = types_in_words(field)
    return Problem(
        path=where,
        value="null" if value is None else f'"{value}"' if isinstance(value, str) else value,
        reason=f"is not {wanted}, which vLLM {release.vllm} wants there",
        remedy=f"Write {wanted}",
        rule="engine-argument-type",
        candidates=(leave_out(where, "leave it out"),),
    )


def _unlisted(
    field: EngineArgument, value: Any, path: str, where: str, release: ReleasePlan
) -> Problem:
    choices = [str(choice) for choice in field.choices or ()]
    ray = nearest_ray(lambda row: _takes(row.vllm, path, value), release.ray.ray)
    return Problem(
        path=where,
        value=value,
        reason=f"is not a value that vLLM {release.vllm} accepts for {path}",
        remedy=accepted(str(value), choices),
        rule="engine-argument-choice",
        candidates=ways_from_value(where, str(value), choices, ray),
    )


def _takes(vllm: str, path: str, value: Any) -> bool:
    """Whether a release has the field and takes the value for it."""
    parent, _, name = path.rpartition(".")
    field = nested_fields(vllm).get(parent, {}).get(name)
    readable = parent != "compilation_config" or _reads_compilation(vllm)
    return field is not None and readable and _has_type(field, value) and _is_listed(field, value)


def _is_listed(field: EngineArgument, value: Any) -> bool:
    return isinstance(value, bool) or not isinstance(value, str | int) or field.lists(value)


def _has_type(field: EngineArgument, value: Any) -> bool:
    """Whether pydantic reads a value as one of the types."""
    types = frozenset(field.types)
    if value is None:
        return "none" in types
    if isinstance(value, list):
        return "list" in types
    if isinstance(value, Mapping):
        return "dict" in types
    if isinstance(value, str):
        return "str" in types or (field.choices is None and _is_read(value, types))
    return bool(types & _types_of_number(value))


def _types_of_number(value: float) -> frozenset[str]:
    """The types that a number or truth value is read as."""
    if isinstance(value, bool):
        return frozenset({"bool", "int", "float"})
    whole = {"int"} if isinstance(value, int) or value.is_integer() else set()
    return frozenset({"float", *whole, *({"bool"} if value in (0, 1) else ())})


def _is_read(text: str, types: frozenset[str]) -> bool:
    """Whether a text is read as a number or a truth value."""
    if "bool" in types and text.lower() in _TRUTH_VALUES:
        return True
    try:
        number = float(text)
    except ValueError:
        return False
    return "float" in types or ("int" in types and number.is_integer())


def _reads_compilation(vllm: str) -> bool:
    return vllm_behaviour(vllm).compilation_config_readable
