"""How far a deployed stack is from its stack file.

Read from the JSON of `pulumi preview --refresh --show-sames --json`.

That preview reads every resource from its cloud or cluster first, and compares what is there with
what the program wants. Two things make a difference: somebody changed the resource, or the stack
file was changed and is not deployed yet. The state, which the preview shows as well, tells which.

Ray's autoscaler, KubeRay and GKE change much of what runs, but none of the fields that the program
sets: the workers are those of a RayCluster, which KubeRay owns, statuses are no inputs, and node
counts are ignored.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import yaml

from models.problems import without_secrets
from reports.pulumi_preview import engine_preview
from reports.sources import SourceError
from rollouts import additions, differences

_RAY_SERVICE: Final = "kubernetes:ray.io/v1:RayService"
_SECRET: Final = "kubernetes:core/v1:Secret"  # noqa: S105 - a type
_FIELD_MANAGER: Final = "__fieldManager"
_OURS: Final = "ray-llm"
# It writes an object back with all fields of its Go types, as empty as they may be.
_KUBERAY: Final = "kuberay-operator"
_CHANGES: Final = frozenset(
    {"create", "update", "replace", "create-replacement", "delete-replaced", "delete"}
)
# What Pulumi shows in place of what only the update itself will know.
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# Below these keys are values that may be secrets, whatever they look like.
_SECRETIVE: Final = re.compile(
    r"env\b|env_vars|secret|token(?!s|iz)|password|credential|api_?key", re.IGNORECASE
)
_LONGEST: Final = 80
_STEP: Final = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
_ABSENT: Final[Any] = object()


class Origin(StrEnum):
    """Where a difference comes from; the value is shown to people."""

    CLOUD = "changed in the cloud"
    STACK_FILE = "not deployed yet"
    BOTH = "changed in both"


@dataclass(frozen=True, kw_only=True)
class FieldDrift:
    """One field. live, wanted: the values as they may be shown; empty if there is none."""

    path: str
    live: str
    wanted: str
    origin: Origin


@dataclass(frozen=True, kw_only=True)
class ResourceDrift:
    """One resource. missing: it is not there; surplus: the stack file has it no more."""

    type: str
    name: str
    origin: Origin
    missing: bool = False
    surplus: bool = False
    fields: tuple[FieldDrift, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What of a stack differs. errors: why the comparison may be incomplete."""

    stack: str
    resources: tuple[ResourceDrift, ...]
    errors: tuple[str, ...]


def drift_of(text: str, origin: str) -> Drift:
    """The drift in the JSON of `pulumi preview --refresh --show-sames --json`.

    Raises SourceError if it is something else, or of another program.
    """
    errors = engine_preview(text, origin).errors
    steps = _steps(text)
    refreshed = {step["urn"]: step for step in steps if step.get("op") == "refresh"}
    if not errors and not refreshed:
        raise SourceError(
            f"{origin}: has compared nothing with the cloud. Give the JSON of `pulumi preview "
            "--refresh --show-sames --json` of a deployed stack."
        )
    changed: dict[str, dict[str, Any]] = {}
    for step in steps:
        if step.get("op") in _CHANGES and not _is_group(step["urn"]):
            changed.setdefault(step["urn"], step)
    found = [_of_step(step, refreshed.get(urn)) for urn, step in changed.items()]
    for step in steps:
        # What a step of `refresh` shows is from before it.
        if step.get("op") in {"same", "update"} and _type(step["urn"]) == _RAY_SERVICE:
            found = _with_additions(found, step["urn"], step)
    stacks = {urn.split("::")[0].rpartition(":")[2] for urn in refreshed}
    return Drift(
        stack=", ".join(sorted(stacks)),
        resources=tuple(found),
        errors=errors,
    )


def _steps(text: str) -> list[dict[str, Any]]:
    try:
        data, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (json.JSONDecodeError, RecursionError):
        return []  # engine_preview has said so
    steps = data.get("steps") if isinstance(data, dict) else None
    return [
        step
        for step in steps or ()
        if isinstance(step, dict) and str(step.get("urn", "")).count("::") >= 3
    ]


def _type(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", 1)[-1]


def _name(urn: str) -> str:
    return "::".join(urn.split("::")[3:])


def _is_group(urn: str) -> bool:
    return _type(urn).startswith(("ray-llm:", "pulumi:pulumi:", "pulumi:providers:"))


def _inputs(step: Mapping[str, Any] | None, state: str) -> Any:
    return ((step or {}).get(state) or {}).get("inputs") or {}


def _of_step(step: Mapping[str, Any], refresh: Mapping[str, Any] | None) -> ResourceDrift:
    urn, operation = step["urn"], step["op"]
    if operation == "create":
        # The state knows it, so it was there.
        origin = Origin.STACK_FILE if refresh is None else Origin.CLOUD
        return ResourceDrift(type=_type(urn), name=_name(urn), origin=origin, missing=True)
    if operation == "delete":
        return ResourceDrift(
            type=_type(urn), name=_name(urn), origin=Origin.STACK_FILE, surplus=True
        )
    state = _inputs(refresh, "oldState")
    live, wanted = _inputs(step, "oldState"), _inputs(step, "newState")
    paths = list(step.get("detailedDiff") or step.get("diffReasons") or ())
    fields = tuple(
        field for path in paths for field in _fields(_type(urn), path, (state, live, wanted))
    )
    origins = {field.origin for field in fields} or {Origin.STACK_FILE}
    origin = origins.pop() if len(origins) == 1 else Origin.BOTH
    return ResourceDrift(type=_type(urn), name=_name(urn), origin=origin, fields=fields)


def _fields(type_: str, path: str, trees: tuple[Any, Any, Any]) -> Iterator[FieldDrift]:
    """The field at a path of Pulumi's, or what differs inside it if it holds YAML."""
    state, live, wanted = (_at(tree, path) for tree in trees)
    was, is_, will_be = (_opened(value) for value in (state, live, wanted))
    if is_ is None or will_be is None:
        yield FieldDrift(
            path=path,
            live=_shown(type_, path, live),
            wanted=_shown(type_, path, wanted),
            origin=_origin(state != wanted, state != live),
        )
        return
    by_file, by_cloud = (
        [found.path for found in differences(was, other)] for other in (will_be, is_)
    )
    for found in differences(is_, will_be):
        yield FieldDrift(
            path=f"{path}: {found.path}",
            live=_shown(type_, f"{path}.{found.path}", found.old),
            wanted=_shown(type_, f"{path}.{found.path}", found.new),
            origin=_origin(_touches(by_file, found.path), _touches(by_cloud, found.path)),
        )


def _touches(paths: Sequence[str], path: str) -> bool:
    """Whether one of the paths is this one, or one of both is inside the other."""
    return any(path.startswith(other) or other.startswith(path) for other in paths)


def _origin(by_file: bool, by_cloud: bool) -> Origin:
    """By which of both sides differs from the state."""
    if not by_file:
        return Origin.CLOUD
    return Origin.BOTH if by_cloud else Origin.STACK_FILE


def _at(tree: Any, path: str) -> Any:
    """The value at a path as Pulumi writes it, `spec.template[0]["a.b"]`."""
    for key, index, quoted in _STEP.findall(path):
        try:
            tree = tree[int(index)] if index else tree[key or quoted.replace('\\"', '"')]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return tree


def _opened(value: Any) -> Any:
    """What a text with YAML of several lines holds, applications by their routes; else None."""
    if not isinstance(value, str) or "\n" not in value:
        return None
    try:
        data = yaml.load(value, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    listed = data.get("applications")
    if isinstance(listed, list) and all(isinstance(item, dict) for item in listed):
        routes = [item.get("route_prefix") for item in listed]
        if len(set(map(str, routes))) == len(routes):
            by_route = {str(route): item for route, item in zip(routes, listed, strict=True)}
            data = {**data, "applications": by_route}
    return data


def _shown(type_: str, path: str, value: Any) -> str:
    """A value on one line, without secrets; empty if there is none."""
    if value is _ABSENT or value is None:
        return ""
    if type_ == _SECRET or _SECRETIVE.search(path):
        return "(not shown)"
    if value == _UNKNOWN:
        return "(known later)"
    if isinstance(value, str) and "\n" in value:
        return f"(text of {value.count(chr(10)) + 1} lines)"
    if isinstance(value, Mapping | list):
        # Its own keys may be secretive, and nobody reads a tree in a cell.
        return f"({'mapping' if isinstance(value, Mapping) else 'list'} of {len(value)})"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).lower() if isinstance(value, bool) else without_secrets(str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _with_additions(
    found: list[ResourceDrift], urn: str, step: Mapping[str, Any]
) -> list[ResourceDrift]:
    """Adds what a live RayService has beyond the stack's, which Pulumi does not compare.

    step: of the program, after the refresh; that of a resource without a difference is there only
        with `--show-sames`.
    """
    live = (step.get("oldState") or {}).get("outputs") or {}
    ours = (str(live.get(_FIELD_MANAGER)), _OURS, _KUBERAY)
    fields = tuple(
        FieldDrift(
            path=addition.path,
            live=f"set by {addition.manager}" if addition.manager else "added",
            wanted="",
            origin=Origin.CLOUD,
        )
        for addition in additions(_inputs(step, "oldState"), live, ours)
    )
    if not fields:
        return found
    same = next((item for item in found if item.name == _name(urn)), None)
    more = ResourceDrift(
        type=_type(urn),
        name=_name(urn),
        origin=same.origin if same and same.origin is Origin.CLOUD else Origin.BOTH,
        fields=(*(same.fields if same else ()), *fields),
    )
    if same is None:
        return [*found, ResourceDrift(**{**vars(more), "origin": Origin.CLOUD})]
    return [more if item is same else item for item in found]
