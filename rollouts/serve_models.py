"""What an edit of serveConfigV2 does to each model that Ray Serve runs.

Serve hashes `import_path`, `runtime_env` and `args` of an application into the version of its
deployments, so that any change of them replaces its replicas and its ingress
(ray.serve._private.deploy_utils.get_app_code_version). What an entry of `deployments` says is put
over that: `ray_actor_options` start new processes, the settings of _IN_PLACE change in those that
run. A model is known by its route, because the name of its application may carry a version.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import yaml

from rollouts.tree import differences

_CODE: Final = ("import_path", "runtime_env", "args")
_IN_PLACE: Final = frozenset(
    {
        "autoscaling_config",
        "graceful_shutdown_timeout_s",
        "graceful_shutdown_wait_loop_s",
        "health_check_period_s",
        "health_check_timeout_s",
        "logging_config",
        "max_ongoing_requests",
        "max_queued_requests",
        "num_replicas",
        "user_config",
    }
)
_INGRESSES: Final = ("LLMRouter", "OpenAiIngress")
_APPLICATIONS: Final = "\napplications:\n"
_ITEM: Final = re.compile(r"^- ", re.MULTILINE)
_TOP_LEVEL: Final = re.compile(r"^[^\s-]", re.MULTILINE)
_ALIAS: Final = re.compile(r"[:-] [&*]")
_ROUTE: Final = re.compile(r"^  route_prefix: (/[\w./-]+)$", re.MULTILINE)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Effect(StrEnum):
    """What happens to a model; the value is shown to people."""

    ADDED = "added"
    REMOVED = "removed"
    EDITED = "edited"
    ROUTER = "its router restarts"
    SCALED = "scaled"
    UNTOUCHED = "untouched"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The GPUs of a pool that a replica of a model takes, and all at its minimum and maximum."""

    pool: str
    each: int
    least: int
    most: int


@dataclass(frozen=True, kw_only=True)
class ModelChange:
    """One model in two serve configs.

    beside: whether its application has another name afterwards, so that Serve runs both for a time.
    changed: paths inside its application.
    replicas: the least number that runs until then; None if the serve config does not say.
    before, after: the GPUs that it takes; None if it is not there then, or does not say.
    """

    name: str
    effect: Effect
    beside: bool = False
    changed: tuple[str, ...] = ()
    replicas: int | None = None
    before: Demand | None = None
    after: Demand | None = None


def without_common_applications(old: str, new: str) -> tuple[str, str, tuple[str, ...]]:
    """Both serve configs without the applications whose text is in both, and the routes of those.

    A parser takes a millisecond for each application, and an edit concerns a few of hundreds. Texts
    in another layout than this program's come back whole.
    """
    parts = [split for text in (old, new) if (split := _split(text))]
    if len(parts) != 2:
        return old, new, ()
    (old_head, before), (new_head, after) = parts
    common = {text: _ROUTE.search(text) for text in set(before) & set(after)}
    if not all(common.values()) or any(len(set(texts)) < len(texts) for texts in (before, after)):
        return old, new, ()
    routes = tuple(found[1] for text in after if (found := common.get(text)))
    return (
        _joined(old_head, [text for text in before if text not in common]),
        _joined(new_head, [text for text in after if text not in common]),
        routes,
    )


def both_serve_configs(old: str, new: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Both serve configs; the applications that both have are parsed once and stand at their end.

    Raises ValueError as `serve_config`.
    """
    before_text, after_text, routes = without_common_applications(old, new)
    before, after = serve_config(before_text), serve_config(after_text)
    parts = [split for text in (old, new) if (split := _split(text))]
    if not routes or len(parts) != 2:
        return before, after
    (_, old_items), (_, new_items) = parts
    common = set(old_items) & set(new_items)
    shared = serve_config(_joined("", [text for text in new_items if text in common]))
    both = [
        {**config, "applications": [*config["applications"], *shared["applications"]]}
        for config in (before, after)
    ]
    return both[0], both[1]


def _split(text: str) -> tuple[str, list[str]] | None:
    """What stands before the applications, and the text of each; None in another layout."""
    head, key, rest = text.partition(_APPLICATIONS)
    items = _ITEM.split(rest)
    if not key or items[0] or _ALIAS.search(text) or _TOP_LEVEL.search(rest):
        return None
    return head, items[1:]


def _joined(head: str, applications: list[str]) -> str:
    items = "".join(f"- {text}" for text in applications)
    return f"{head}\napplications:\n{items}" if items else f"{head}\napplications: []\n"


def model_changes(old: str, new: str) -> tuple[ModelChange, ...]:
    """The models of both serve configs, in the order of the new one, then those that go.

    Raises as `applications`.
    """
    before, after = applications(old), applications(new)
    changes = [
        _change(route, before[route], application)
        if route in before
        else ModelChange(name=_name(route), effect=Effect.ADDED, after=_demand(application))
        for route, application in after.items()
    ]
    gone = [
        ModelChange(name=_name(route), effect=Effect.REMOVED, before=_demand(application))
        for route, application in before.items()
        if route not in after
    ]
    return (*changes, *gone)


def untouched_model(route: str) -> ModelChange:
    """The model at a route whose application stays as it is."""
    return ModelChange(name=_name(route), effect=Effect.UNTOUCHED)


def other_changes(old: str, new: str) -> tuple[str, ...]:
    """The paths outside of the applications that differ. Raises as `applications`."""
    texts = (serve_config(text) for text in (old, new))
    before, after = ({**config, "applications": None} for config in texts)
    return tuple(found.path for found in differences(before, after))


def applications(text: str) -> dict[str, Mapping[str, Any]]:
    """The applications of a serve config by their routes.

    Raises ValueError with what Ray refuses, KeyError or TypeError for what this program does not
    write.
    """
    listed = serve_config(text).get("applications")
    if not isinstance(listed, list):
        raise ValueError("has no list of applications")
    found: dict[str, Mapping[str, Any]] = {}
    for application in listed:
        route = application["route_prefix"]
        if not isinstance(route, str) or not isinstance(application["name"], str):
            raise TypeError("an application's name or route is no text")
        if route in found:
            raise ValueError(f"has two applications at {route}")
        found[route] = application
    return found


@lru_cache(maxsize=2)  # the old and the new one, each read several times
def serve_config(text: str) -> Mapping[str, Any]:
    """A serve config; raises ValueError for a text that is none."""
    try:
        config = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, see above
    except yaml.YAMLError:
        raise ValueError("is not YAML") from None
    if not isinstance(config, Mapping):
        raise ValueError("is not a mapping")
    return config


def _name(route: str) -> str:
    return route.removeprefix("/") or route


def _change(route: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> ModelChange:
    code = [
        found.path
        for key in _CODE
        for found in differences({key: old.get(key)}, {key: new.get(key)})
    ]
    restarted, router, in_place = _of_deployments(old, new)
    renamed = old["name"] != new["name"]
    ignored = {*_CODE, "deployments", "name", "route_prefix"}
    others = [
        found.path
        for found in differences(
            {key: value for key, value in old.items() if key not in ignored},
            {key: value for key, value in new.items() if key not in ignored},
        )
    ]
    if code or restarted or renamed:
        effect = Effect.EDITED
    elif router:
        effect = Effect.ROUTER
    elif in_place or others:
        effect = Effect.SCALED
    else:
        effect = Effect.UNTOUCHED
    return ModelChange(
        name=_name(route),
        effect=effect,
        beside=renamed,
        changed=(*code, *restarted, *router, *in_place, *others),
        replicas=_replicas(old),
        before=_demand(old),
        after=_demand(new),
    )


def serve_options(application: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of the model's deployment: its override, else those in `args`.

    Empty for an application of another form, which somebody else has added.
    """
    for item in application.get("deployments") or ():
        if item["name"] not in _INGRESSES:
            options: Mapping[str, Any] = item
            return options
    found: Mapping[str, Any] = _llm_config(application).get("deployment_config") or {}
    return found


def _llm_config(application: Mapping[str, Any]) -> Mapping[str, Any]:
    """The LLM config of an application; empty for one of another form."""
    args = application.get("args")
    configs = args.get("llm_configs") if isinstance(args, Mapping) else None
    first = configs[0] if isinstance(configs, list) and configs else None
    return first if isinstance(first, Mapping) else {}


def gpus_of_replica(application: Mapping[str, Any]) -> tuple[str, int]:
    """The pool of an application and the GPUs of it that one replica takes.

    "" and 0 without one, and for an application of another form, which somebody else has added.
    """
    config = _llm_config(application)
    bundle = config.get("resources_per_bundle")
    if bundle:
        engine = config.get("engine_kwargs") or {}
        gpus = engine.get("tensor_parallel_size", 1) * engine.get("pipeline_parallel_size", 1)
        return next(((pool, gpus) for pool in bundle if pool != "GPU"), ("", 0))
    options = (config.get("deployment_config") or {}).get("ray_actor_options") or {}
    resources = options.get("resources") or {}
    return next(((pool, int(gpus)) for pool, gpus in resources.items()), ("", 0))


def _demand(application: Mapping[str, Any]) -> Demand | None:
    """None if it cannot be read from the application."""
    try:
        pool, gpus = gpus_of_replica(application)
        scaling = serve_options(application)["autoscaling_config"]
        return Demand(
            pool=pool,
            each=gpus,
            least=gpus * int(scaling["min_replicas"]),
            most=gpus * int(scaling["max_replicas"]),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None


def _replicas(application: Mapping[str, Any]) -> int | None:
    """The least number of replicas: of the override of the model's deployment, else of `args`."""
    models = [
        item for item in application.get("deployments") or () if item["name"] not in _INGRESSES
    ]
    models += [
        config.get("deployment_config") or {}
        for config in (application.get("args") or {}).get("llm_configs") or ()
        if isinstance(config, Mapping)
    ]
    for options in models:
        least = (options.get("autoscaling_config") or {}).get("min_replicas")
        least = options.get("num_replicas") if least is None else least
        if isinstance(least, int):
            return least
    return None


def _of_deployments(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[list[str], list[str], list[str]]:
    """Changed paths that restart the model, that restart its router only, and that restart none."""
    restarted: list[str] = []
    router: list[str] = []
    in_place: list[str] = []
    before, after = (
        {item["name"]: item for item in application.get("deployments") or ()}
        for application in (old, new)
    )
    for name in dict.fromkeys([*before, *after]):
        if name not in before or name not in after:
            # Seen on 2.49.1 and 2.60.0: the first override replaces the replica, whatever it says.
            (router if name in _INGRESSES else restarted).append(f"deployments[{name}]")
            continue
        for found in differences(before[name], after[name], f"deployments[{name}]"):
            option = found.path.removeprefix(f"deployments[{name}].").partition(".")[0]
            if option in _IN_PLACE:
                in_place.append(found.path)
            else:
                (router if name in _INGRESSES else restarted).append(found.path)
    return restarted, router, in_place
