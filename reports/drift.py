"""How far a deployed stack is from its stack file.

Read from the JSON of `pulumi preview --refresh --show-sames --json`.

That preview reads every resource from its cloud or cluster first, and compares what is there with
what the program wants. Two things make a difference: somebody changed the resource, or the stack
file was changed and is not deployed yet. The state, which the preview shows as well, tells which.

Ray's autoscaler, KubeRay and GKE change much of what runs, but none of the fields that the program
sets: the workers are those of a RayCluster, which KubeRay owns, statuses are no inputs, and node
counts are ignored. That models sleep in their off-hours is no difference either.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from diagnosis import ABSENT, NOT_SHOWN_VALUE, opened, shown_value
from manifests import as_awake
from reports.preview_document import State, Step, Urn, preview_document
from reports.pulumi_preview import NOT_SHOWN, preview_of_document
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
_STEP: Final = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')


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
    document = preview_document(text, origin)
    errors = preview_of_document(document, origin).errors
    steps = document.steps or []
    refreshed = {step.urn: step for step in steps if step.op == "refresh"}
    if not errors and not refreshed:
        raise SourceError(
            f"{origin}: has compared nothing with the cloud. Give the JSON of `pulumi preview "
            "--refresh --show-sames --json` of a deployed stack."
        )
    changed: dict[Urn, Step] = {}
    for step in steps:
        if step.op in _CHANGES and not step.urn.type.startswith(NOT_SHOWN):
            changed.setdefault(step.urn, step)
    steps_of = [_of_step(step, refreshed.get(urn)) for urn, step in changed.items()]
    found = [item for item in steps_of if item is not None]
    for step in steps:
        # What a step of `refresh` shows is from before it.
        if step.op in {"same", "update"} and step.urn.type == _RAY_SERVICE:
            try:
                found = _with_additions(found, step)
            except ValueError:
                raise SourceError(
                    f"{origin}: {step.urn.name} of type {_RAY_SERVICE} has a record of fields "
                    "(metadata.managedFields) that Kubernetes does not write, so that it is not "
                    "known what others added. Give the output of the preview unchanged."
                ) from None
    return Drift(
        stack=", ".join(sorted({urn.stack for urn in refreshed})),
        resources=tuple(found),
        errors=errors,
    )


def _inputs(state: State | None) -> Mapping[str, Any]:
    return (state.inputs if state else None) or {}


def _of_step(step: Step, refresh: Step | None) -> ResourceDrift | None:
    """The differences of a step; None if only models sleep in it."""
    urn = step.urn
    if step.op == "create":
        # The state knows it, so it was there.
        origin = Origin.STACK_FILE if refresh is None else Origin.CLOUD
        return ResourceDrift(type=urn.type, name=urn.name, origin=origin, missing=True)
    if step.op == "delete":
        return ResourceDrift(type=urn.type, name=urn.name, origin=Origin.STACK_FILE, surplus=True)
    state = _inputs(refresh.old_state if refresh else None)
    found, wanted = _inputs(step.old_state), _inputs(step.new_state)
    live = as_awake(found) if urn.type == _RAY_SERVICE else found
    paths = list(step.detailed_diff or step.diff_reasons or ())
    if live is not found:
        paths = [path for path in paths if _at(live, path) != _at(wanted, path)]
        if not paths:
            return None
    fields = tuple(
        field for path in paths for field in _fields(urn.type, path, (state, live, wanted))
    )
    origins = {field.origin for field in fields} or {Origin.STACK_FILE}
    origin = origins.pop() if len(origins) == 1 else Origin.BOTH
    return ResourceDrift(type=urn.type, name=urn.name, origin=origin, fields=fields)


def _fields(type_: str, path: str, trees: tuple[Any, Any, Any]) -> Iterator[FieldDrift]:
    """The field at a path of Pulumi's, or what differs inside it if it holds YAML."""
    state, live, wanted = (_at(tree, path) for tree in trees)
    was, is_, will_be = (opened(value) for value in (state, live, wanted))
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
        except (KeyError, IndexError, TypeError, ValueError):
            return ABSENT
    return tree


def _shown(type_: str, path: str, value: Any) -> str:
    """A value on one line, without secrets; empty if there is none."""
    text = shown_value(path, value, is_secret=type_ == _SECRET)
    return "(known later)" if value == _UNKNOWN and text != NOT_SHOWN_VALUE else text


def _with_additions(found: list[ResourceDrift], step: Step) -> list[ResourceDrift]:
    """Adds what a live RayService has beyond the stack's, which Pulumi does not compare.

    step: of the program, after the refresh; that of a resource without a difference is there only
        with `--show-sames`. Raises ValueError as `additions`.
    """
    urn = step.urn
    live = (step.old_state.outputs if step.old_state else None) or {}
    ours = (str(live.get(_FIELD_MANAGER)), _OURS, _KUBERAY)
    fields = tuple(
        FieldDrift(
            path=addition.path,
            live=f"set by {addition.manager}" if addition.manager else "added",
            wanted="",
            origin=Origin.CLOUD,
        )
        for addition in additions(_inputs(step.old_state), live, ours)
    )
    if not fields:
        return found
    same = next((item for item in found if (item.type, item.name) == (urn.type, urn.name)), None)
    more = ResourceDrift(
        type=urn.type,
        name=urn.name,
        origin=same.origin if same and same.origin is Origin.CLOUD else Origin.BOTH,
        fields=(*(same.fields if same else ()), *fields),
    )
    if same is None:
        return [*found, replace(more, origin=Origin.CLOUD)]
    return [more if item is same else item for item in found]
