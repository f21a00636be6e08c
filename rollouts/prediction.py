"""What KubeRay and Ray Serve will do if a RayService changes from one form to another.

Pure: it sees both objects as this program writes them, and the release of the operator. It sees no
cluster, so it takes the old object for what runs and no rollout for under way. Where more would
have to be known, it says so instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

from models.catalog import KubeRayRelease, kuberay_releases
from rollouts.gpu_quota import GpuQuota
from rollouts.handover import ServeConfig, course, held_models, running_at_most
from rollouts.ray_cluster import cluster_change, gpus_at_start, workers_at_start
from rollouts.refusals import refusal_of_serve_config, refusals
from rollouts.serve_models import (
    Effect,
    ModelChange,
    both_serve_configs,
    model_changes,
    other_changes,
    untouched_model,
    without_common_applications,
)
from rollouts.tree import differences

CLUSTER: Final = "spec.rayClusterConfig"
SERVE: Final = "spec.serveConfigV2"
_OURS: Final = {
    "app.kubernetes.io/name": "ray-llm",
    "app.kubernetes.io/managed-by": "pulumi",
}
_NEW_CLUSTER: Final = "NewCluster"
_NONE: Final = "None"
# Fields of the RayService that KubeRay reads anew each time, and that start nothing.
_AT_ONCE: Final = frozenset({"excludeHeadPodFromServeSvc", "rayClusterDeletionDelaySeconds"})
# Fields that it reads only when it creates the Service or points it at another cluster, or never.
_AT_SWITCH: Final = "serveService"
_NEVER: Final = frozenset({"serviceUnhealthySecondThreshold", "deploymentUnhealthySecondThreshold"})
# A group's numbers follow its models, and Ray's autoscaler changes those that run.
_NUMBERS: Final = (".replicas", ".minReplicas", ".maxReplicas")
# What Ray Serve's proxies are started with; later it is taken and only logged.
_PROXIES: Final = ("http_options", "grpc_options", "proxy_location")


class Kind(IntEnum):
    """The most that a change does, the least first."""

    NOTHING = 0
    IGNORED = 1
    IN_PLACE = 2
    """A field that KubeRay reads anew each time."""
    SERVE = 3
    """Ray Serve gets the new serve config."""
    GROUPS = 4
    """The RayCluster is rewritten in place, with its new worker groups."""
    SECOND_CLUSTER = 5
    SUSPENDED = 6
    """The clusters and the Services are deleted."""
    REFUSED = 7
    """KubeRay or Ray refuses it, and goes on with what runs."""
    REPLACED = 8
    """It is another object."""
    UNKNOWN = 9


@dataclass(frozen=True, kw_only=True)
class Release:
    """What the Ray head runs."""

    ray: str
    image: str


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """What a change of a RayService does. All paths begin at the object: `spec.…`.

    causes: fields for which a second cluster starts.
    release: the head's Ray and image before and after, if one of them changes.
    appended: worker groups that are added to the running cluster.
    written: fields that only new pods of the running cluster get, because it is rewritten anyway.
    ignored: fields of which nothing running ever hears.
    refused: why KubeRay refuses the whole object; refused_by_ray: why Ray refuses the serve config.
    unknown: why it cannot be said.
    models: what happens to each model of either serve config.
    serve_settings: fields of the serve config outside of its models.
    held: models that are replaced and whose pools have no room for a second version.
    waves: the others that are replaced, those together that load at the same time.
    short_quotas: quotas that leave no room where the pools have it.
    may_be_held: those whose pools have room now and may have none once more replicas run.
    gpus: GPUs by worker group that the second cluster takes on top at its start.
    running: workers by group that the first cluster keeps beside a second one.
    if_known: what every release of the table would do, if the release is not known.
    """

    kind: Kind = Kind.NOTHING
    causes: tuple[str, ...] = ()
    release: tuple[Release, Release] | None = None
    appended: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    refused_by_ray: str | None = None
    unknown: tuple[str, ...] = ()
    models: tuple[ModelChange, ...] = ()
    serve_settings: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    waves: tuple[tuple[str, ...], ...] = ()
    may_be_held: tuple[str, ...] = ()
    short_quotas: tuple[str, ...] = ()
    gpus: Mapping[str, int] = field(default_factory=dict)
    running: Mapping[str, int] = field(default_factory=dict)
    if_known: "Rollout | None" = None

    def with_effect(self, effect: Effect) -> tuple[ModelChange, ...]:
        """The models to which this happens."""
        return tuple(model for model in self.models if model.effect is effect)


def is_number_of_group(path: str) -> bool:
    """Whether an ignored field is a worker group's number of workers, which nobody has to know."""
    return path.endswith(_NUMBERS)


def is_ever_heard(path: str) -> bool:
    """Whether at least another Ray cluster hears of an ignored field."""
    return not path.startswith(("spec.serveService.metadata", *(f"spec.{name}" for name in _NEVER)))


def predict(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    kuberay: str | None,
    pool_gpus: Mapping[str, int] | None = None,
    quotas: Sequence[GpuQuota] = (),
) -> Rollout:
    """What the change from `old` to `new` does.

    old, new: the whole object as this program wrote it, as plain values.
    kuberay: the release of the operator; None if it is not known.
    pool_gpus: the most GPUs that each pool can have; None if that is not known, and then nothing is
        said of the room for second versions.
    quotas: what limits several pools together.
    """
    try:
        rollout = _predict(old, new, kuberay)
        if pool_gpus is None or not any(model.beside for model in rollout.models):
            return rollout
        before, after = both_serve_configs(
            old["spec"]["serveConfigV2"], new["spec"]["serveConfigV2"]
        )
        expected = course(before, after, pool_gpus, quotas=quotas)
        busy = held_models(before, after, pool_gpus, _at_most(before), quotas)
        short = _short_quotas(before, after, pool_gpus, quotas) if expected.held else ()
        more = tuple(name for name in busy if name not in expected.held)

        def with_room(found: Rollout) -> Rollout:
            return replace(
                found,
                held=expected.held,
                waves=expected.beside,
                may_be_held=more,
                short_quotas=short,
            )

        if rollout.if_known is not None:
            rollout = replace(rollout, if_known=with_room(rollout.if_known))
        return with_room(rollout)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        # Whatever has another form is not ours, and nothing is said about it.
        return _unknown("the RayService has a form that this version of the program does not know")


def _short_quotas(
    before: ServeConfig,
    after: ServeConfig,
    pool_gpus: Mapping[str, int],
    quotas: Sequence[GpuQuota],
) -> tuple[str, ...]:
    """The quotas for which models are held that would not be for the pools alone."""
    by_pools = held_models(before, after, pool_gpus)
    return tuple(
        quota.metric
        for quota in quotas
        if len(held_models(before, after, pool_gpus, quotas=[quota])) > len(by_pools)
    )


def _at_most(config: ServeConfig) -> dict[str, int]:
    """The most replicas of each application."""
    return {item["name"]: running_at_most(item) for item in config["applications"]}


def _predict(old: Mapping[str, Any], new: Mapping[str, Any], kuberay: str | None) -> Rollout:
    if not all(isinstance(part, Mapping) for part in (old["spec"], new["spec"])):
        raise TypeError("a spec is no mapping")
    if any(old[key] != new[key] for key in ("apiVersion", "kind")) or any(
        old["metadata"][key] != new["metadata"][key] for key in ("name", "namespace")
    ):
        return Rollout(kind=Kind.REPLACED)
    if old["spec"] == new["spec"]:
        return Rollout()
    labels = old["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in _OURS.items()):
        return _unknown(
            "the RayService was not written by this program, so that fields of which it does not "
            "know may stay in it"
        )
    release = kuberay_releases().get(kuberay or "")
    if release is not None:
        return _of_release(old, new, release)
    which = f"KubeRay {kuberay} is not in the table" if kuberay else "the release is not known"
    of_all = [_of_release(old, new, row) for row in kuberay_releases().values()]
    same = of_all[0] if all(found == of_all[0] for found in of_all) else None
    models = same.models if same else ()
    return replace(_unknown(which), if_known=same, models=models)


def _unknown(why: str) -> Rollout:
    return Rollout(kind=Kind.UNKNOWN, unknown=(why,))


def _of_release(old: Mapping[str, Any], new: Mapping[str, Any], release: KubeRayRelease) -> Rollout:
    before, after = old["spec"], new["spec"]
    if refused := tuple(refusals(after, release)):
        return Rollout(kind=Kind.REFUSED, refused=refused)
    rollout = _of_fields(before, after, release)
    rollout = _of_cluster(before, after, release, rollout)
    rollout = _of_serve_config(before, after, rollout)
    left = _left_behind(before, after, rollout)
    return replace(rollout, ignored=(*rollout.ignored, *left))


def _left_behind(
    before: Mapping[str, Any], after: Mapping[str, Any], rollout: Rollout
) -> tuple[str, ...]:
    """What only another cluster hears of, or, of a Service's metadata, nobody."""
    of_service = _paths(before, after, _AT_SWITCH)
    if rollout.causes:
        return tuple(path for path in of_service if path.startswith("spec.serveService.metadata"))
    proxies = (path for path in rollout.serve_settings if path.startswith(_PROXIES))
    return (*of_service, *(f"{SERVE}:{path}" for path in proxies))


def _at_least(rollout: Rollout, kind: Kind, **changes: Any) -> Rollout:
    return replace(rollout, kind=max(rollout.kind, kind), **changes)


def _paths(before: Mapping[str, Any], after: Mapping[str, Any], field: str) -> tuple[str, ...]:
    found = differences({field: before.get(field)}, {field: after.get(field)})
    return tuple(f"spec.{difference.path}" for difference in found)


def _of_fields(
    before: Mapping[str, Any], after: Mapping[str, Any], release: KubeRayRelease
) -> Rollout:
    """The fields beside the Ray cluster and the serve config."""
    rollout = Rollout()
    for name in dict.fromkeys([*before, *after]):
        if name in {"rayClusterConfig", "serveConfigV2"} or not _paths(before, after, name):
            continue
        paths = _paths(before, after, name)
        if name in _AT_ONCE:
            rollout = _at_least(rollout, Kind.IN_PLACE)
        elif name in _NEVER or name == _AT_SWITCH:
            # What of `serveService` a switch brings is added when that is ruled out.
            never = paths if name in _NEVER else ()
            rollout = _at_least(rollout, Kind.IGNORED, ignored=(*rollout.ignored, *never))
        elif name == "upgradeStrategy":
            rollout = _of_strategy(before, after, rollout)
        elif name == "suspend" and release.has_suspend:
            kind = Kind.SUSPENDED if after.get(name) else Kind.UNKNOWN
            why = () if after.get(name) else ("spec.suspend ends, and both clusters are made anew",)
            rollout = _at_least(rollout, kind, unknown=(*rollout.unknown, *why))
        else:
            why = (f"{', '.join(paths)} changes, which this program does not write",)
            rollout = _at_least(rollout, Kind.UNKNOWN, unknown=(*rollout.unknown, *why))
    return rollout


def _strategy(spec: Mapping[str, Any]) -> str | None:
    kind: str | None = (spec.get("upgradeStrategy") or {}).get("type")
    return kind


def _of_strategy(before: Mapping[str, Any], after: Mapping[str, Any], rollout: Rollout) -> Rollout:
    if _strategy(before) == _NEW_CLUSTER and _strategy(after) == _NONE:
        return _at_least(rollout, Kind.IN_PLACE)
    why = (
        "spec.upgradeStrategy changes, and edits that KubeRay held back until now may start a "
        "second cluster",
    )
    return _at_least(rollout, Kind.UNKNOWN, unknown=(*rollout.unknown, *why))


def _of_cluster(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    release: KubeRayRelease,
    rollout: Rollout,
) -> Rollout:
    old, new = before["rayClusterConfig"], after["rayClusterConfig"]
    change = cluster_change(old, new, release)
    hashed = _under_cluster(change.hashed)
    muted = _under_cluster(change.muted)
    strategy = _strategy(after)
    if change.unclear and not (hashed and strategy == _NEW_CLUSTER):
        paths = ", ".join(_under_cluster(change.unclear))
        why = (f"{paths}: whether KubeRay takes it for a change cannot be said",)
        return _at_least(rollout, Kind.UNKNOWN, unknown=(*rollout.unknown, *why))
    if hashed and strategy == _NEW_CLUSTER:
        return _at_least(
            rollout,
            Kind.SECOND_CLUSTER,
            causes=hashed,
            release=_changed_release(old, new),
            gpus=gpus_at_start(new),
            running=workers_at_start(old),
        )
    if hashed and strategy == _NONE:
        # Appended groups too, because the first part of the spec has another hash.
        groups = tuple(f"{CLUSTER}.workerGroupSpecs[{name}]" for name in change.appended)
        ignored = (*rollout.ignored, *hashed, *muted, *groups)
        return _at_least(rollout, Kind.IGNORED, ignored=ignored)
    if hashed:
        why = (
            f"spec.upgradeStrategy.type is {strategy}, which depends on the operator's settings",
        )
        return _at_least(rollout, Kind.UNKNOWN, unknown=(*rollout.unknown, *why))
    if change.appended:
        return _at_least(rollout, Kind.GROUPS, appended=change.appended, written=muted)
    if muted:
        return _at_least(rollout, Kind.IGNORED, ignored=(*rollout.ignored, *muted))
    return rollout


def _under_cluster(found: Sequence[Any]) -> tuple[str, ...]:
    return tuple(f"{CLUSTER}.{difference.path}" for difference in found)


def _of_serve_config(
    before: Mapping[str, Any], after: Mapping[str, Any], rollout: Rollout
) -> Rollout:
    old, new = before.get("serveConfigV2"), after.get("serveConfigV2")
    if old == new:
        return rollout
    untouched: tuple[str, ...] = ()
    if isinstance(old, str) and isinstance(new, str):
        old, new, untouched = without_common_applications(old, new)
    if refused := refusal_of_serve_config(new, beside=untouched):
        return _at_least(rollout, Kind.REFUSED, refused_by_ray=refused)
    if not isinstance(old, str) or not isinstance(new, str):
        raise TypeError("serveConfigV2 is no text")
    # KubeRay compares the text. Ray compares what it says.
    return _at_least(
        rollout,
        Kind.SERVE,
        models=(*model_changes(old, new), *map(untouched_model, untouched)),
        serve_settings=other_changes(old, new),
    )


def _changed_release(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[Release, Release] | None:
    before, after = _release(old), _release(new)
    return (before, after) if before != after else None


def _release(cluster: Mapping[str, Any]) -> Release:
    [container, *_] = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    return Release(ray=str(cluster["rayVersion"]), image=str(container["image"]))
