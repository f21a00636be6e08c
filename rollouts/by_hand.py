"""What somebody else changed in an object that Pulumi applied: by hand, or by another program.

Pulumi's provider compares a live object with its inputs only where those have a field. So a list
item that was added at the end and a key that was added to a mapping are no difference to it, and
`pulumi preview --refresh` says nothing of them. Here the live object's own record of who set which
field is read (`metadata.managedFields`,
https://kubernetes.io/docs/reference/using-api/server-side-apply/).
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rollouts.handover import BESIDE
from rollouts.prediction import Rollout
from rollouts.serve_models import Effect, ModelChange

_ABSENT: Final[Any] = object()
_PATHS: Final = 3


@dataclass(frozen=True)
class Addition:
    """A field or list item of a live object that its inputs do not have.

    path: in the object, `spec.rayClusterConfig.workerGroupSpecs[extra]`.
    manager: who set it, `kubectl-edit`; empty if the object does not say.
    """

    path: str
    manager: str = ""


def as_live(inputs: Any, live: Any) -> Any:
    """The live values of the fields that the inputs have, and list items beyond theirs.

    It is what a server-side apply of other inputs starts from: it replaces the lists of a
    RayService whole, and leaves keys of others in mappings alone.
    """
    if isinstance(inputs, Mapping) and isinstance(live, Mapping):
        return {key: as_live(value, live[key]) for key, value in inputs.items() if key in live}
    if isinstance(inputs, list) and isinstance(live, list):
        common = [as_live(was, is_) for was, is_ in zip(inputs, live, strict=False)]
        return [*common, *live[len(common) :]]
    return live


def additions(
    inputs: Mapping[str, Any], live: Mapping[str, Any], ours: Collection[str]
) -> tuple[Addition, ...]:
    """What the spec of a live object has beyond its inputs, and neither the server nor we set.

    ours: the field managers of this program.
    Raises ValueError if the object's record of fields has a form that Kubernetes does not write.
    """
    found = dict.fromkeys(_further_items(inputs.get("spec"), live.get("spec"), "spec"), "")
    try:
        for entry in (live.get("metadata") or {}).get("managedFields") or ():
            if entry.get("subresource") or entry.get("manager") in ours:
                continue
            fields = (entry.get("fieldsV1") or {}).get("f:spec") or {}
            for path in _unknown(fields, inputs.get("spec"), "spec"):
                found[path] = str(entry.get("manager") or "")
    except (TypeError, AttributeError, ValueError, RecursionError):
        raise ValueError("the record of fields has another form") from None
    return tuple(Addition(path, manager) for path, manager in found.items())


def _further_items(inputs: Any, live: Any, path: str) -> Iterator[str]:
    if isinstance(inputs, Mapping) and isinstance(live, Mapping):
        for key, value in inputs.items():
            yield from _further_items(value, live.get(key), f"{path}.{key}")
    elif isinstance(inputs, list) and isinstance(live, list):
        for index, item in enumerate(live):
            place = f"{path}[{_name(item, index)}]"
            if index >= len(inputs):
                yield place
            else:
                yield from _further_items(inputs[index], item, place)


def _name(item: Any, index: int) -> str:
    names = (item.get(key) for key in ("groupName", "name")) if isinstance(item, Mapping) else ()
    return next((name for name in names if isinstance(name, str)), str(index))


def _unknown(fields: Mapping[str, Any], inputs: Any, path: str) -> Iterator[str]:
    """The paths in a record of fields that the inputs do not have."""
    for key, below in fields.items():
        kind, _, name = key.partition(":")
        if kind == "f":
            place = f"{path}.{name}"
            value = inputs.get(name, _ABSENT) if isinstance(inputs, Mapping) else _ABSENT
        elif kind == "k":
            keys = json.loads(name)
            place = f"{path}[{', '.join(str(value) for value in keys.values())}]"
            value = _item(inputs, keys)
        else:
            continue
        if value is _ABSENT:
            yield place
        else:
            yield from _unknown(below, value, place)


def _item(inputs: Any, keys: Mapping[str, Any]) -> Any:
    """The item of a list that these keys name. The server may have added some of them itself."""
    items = inputs if isinstance(inputs, list) else ()
    for item in items:
        if isinstance(item, Mapping) and all(
            item.get(key, value) == value for key, value in keys.items()
        ):
            return item
    return _ABSENT


def unforeseen(said: Rollout, found: Rollout) -> tuple[str, ...]:
    """What a change does to the live object that was not predicted from the state, as clauses.

    said: the prediction from the object as the state has it; found: from the live object. What
    restarts nothing, such as replicas that a schedule scaled, is left out.
    """
    clauses = []
    if causes := [path for path in found.causes if path not in said.causes]:
        clauses.append(
            f"{_listed(causes)} would be changed back, and KubeRay starts a second Ray cluster"
        )
    foreseen = {model.name for model in said.models if _stops(model)}
    clauses += [
        f"model {model.name} would be changed back ({_listed(model.changed)}), and its replicas "
        "restart in place"
        for model in found.models
        if model.effect is Effect.EDITED and _stops(model) and model.name not in foreseen
    ]
    clauses += [
        f"/{model.name}, which was added, would be removed"
        for model in found.models
        # A version that starts beside another has a route that nobody was told of.
        if model.effect is Effect.REMOVED
        and model.name not in foreseen
        and not f"/{model.name}".startswith(BESIDE)
    ]
    return tuple(clauses)


def _stops(model: ModelChange) -> bool:
    return model.effect is Effect.REMOVED or (model.effect is Effect.EDITED and not model.beside)


def _listed(paths: Collection[str]) -> str:
    more = len(paths) - _PATHS
    return ", ".join([*list(paths)[:_PATHS], *([f"{more} more"] if more > 0 else [])])
