"""What KubeRay does if the RayClusterSpec of a RayService changes.

It compares a hash of the spec, without some fields, with the hash of the cluster that runs. If they
differ only by worker groups that were appended, it rewrites that cluster; else it starts a second
one. `GenerateHashWithoutReplicasAndWorkersToDelete` in
ray-operator/controllers/ray/utils/util.go, and `shouldUpdateCluster` and `shouldPrepareNewCluster`
in ray-operator/controllers/ray/rayservice_controller.go.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.catalog import KubeRayRelease
from rollouts.tree import Difference, differences

_NUMBERS: Final = frozenset({"replicas", "minReplicas", "maxReplicas", "scaleStrategy"})
_OF_PODS: Final = ("template.spec.tolerations", "template.spec.schedulingGates")
_HEAD: Final = "headGroupSpec"
_WORKERS: Final = "workerGroupSpecs"
# Handled differently by nearly every release, and never written by this program.
_UNCLEAR: Final = frozenset({"suspend", "upgradeStrategy", "managedBy"})


@dataclass(frozen=True, kw_only=True)
class ClusterChange:
    """How two RayClusterSpecs differ, for one release of KubeRay.

    hashed: what the hash sees; muted: what it does not see.
    appended: worker groups behind those that were there.
    unclear: what may or may not count.
    """

    hashed: tuple[Difference, ...]
    muted: tuple[Difference, ...]
    appended: tuple[str, ...]
    unclear: tuple[Difference, ...]


def cluster_change(
    old: Mapping[str, Any], new: Mapping[str, Any], release: KubeRayRelease
) -> ClusterChange:
    """Compares two RayClusterSpecs. Raises TypeError or KeyError for what is none."""
    appended: list[str] = []
    hashed: list[Difference] = []
    muted: list[Difference] = []
    unclear: list[Difference] = []
    for found, is_muted in _all_differences(old, new, release, appended):
        if is_muted and not found.certain:
            # As the empty `workersToDelete` that Ray's autoscaler leaves behind.
            continue
        if found.path.partition(".")[0] in _UNCLEAR or not found.certain:
            unclear.append(found)
        else:
            (muted if is_muted else hashed).append(found)
    return ClusterChange(
        hashed=tuple(hashed),
        muted=tuple(muted),
        appended=tuple(appended),
        unclear=tuple(unclear),
    )


def group_names(cluster: Mapping[str, Any]) -> list[str]:
    """The names of the worker groups, in their order."""
    names = [group["groupName"] for group in cluster.get(_WORKERS) or ()]
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a worker group's name is not text")
    return names


def workers_at_start(cluster: Mapping[str, Any]) -> dict[str, int]:
    """The workers by group that a new cluster starts before its autoscaler adds any."""
    return {
        group["groupName"]: max(_whole(group.get("replicas")), _whole(group.get("minReplicas")))
        for group in cluster.get(_WORKERS) or ()
    }


def gpus_at_start(cluster: Mapping[str, Any]) -> dict[str, int]:
    """The GPUs by worker group that a new cluster takes before its autoscaler adds any.

    Groups without a GPU, and groups that start empty, are left out.
    """
    workers = workers_at_start(cluster)
    return {
        group: workers[group] * gpus
        for group, gpus in gpus_of_workers(cluster).items()
        if workers[group]
    }


def gpus_of_workers(cluster: Mapping[str, Any]) -> dict[str, int]:
    """The GPUs of one worker by group, without the groups that have none."""
    found = {}
    for group in cluster.get(_WORKERS) or ():
        containers = group["template"]["spec"]["containers"]
        limits = [(item.get("resources") or {}).get("limits") or {} for item in containers]
        if gpus := sum(_whole(limit.get("nvidia.com/gpu")) for limit in limits):
            found[group["groupName"]] = gpus
    return found


def _whole(value: Any) -> int:
    return int(value or 0)


def _all_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], release: KubeRayRelease, appended: list[str]
) -> Iterator[tuple[Difference, bool]]:
    """Each difference, and whether it is in a field that the hash leaves out."""
    for field in dict.fromkeys([*old, *new]):
        if field == _HEAD:
            yield from _of_group(old[_HEAD], new[_HEAD], _HEAD, release, is_head=True)
        elif field != _WORKERS:
            for found in differences({field: old.get(field)}, {field: new.get(field)}):
                yield found, False
    yield from _of_groups(old, new, release, appended)


def _of_groups(
    old: Mapping[str, Any], new: Mapping[str, Any], release: KubeRayRelease, appended: list[str]
) -> Iterator[tuple[Difference, bool]]:
    before, after = group_names(old), group_names(new)
    if after[: len(before)] != before or len(set(after)) != len(after):
        # KubeRay compares by position. The names say better what was done to the list.
        removed = [name for name in before if name not in after]
        added = [name for name in after if name not in before]
        for name in removed:
            yield Difference(f"{_WORKERS}[{name}]", name, None), False
        for name in added:
            yield Difference(f"{_WORKERS}[{name}]", None, name), False
        if not removed and not added:
            yield Difference(_WORKERS, before, after), False
        return
    appended += after[len(before) :]
    groups = zip(before, old.get(_WORKERS) or (), new.get(_WORKERS) or (), strict=False)
    for name, was, is_ in groups:
        yield from _of_group(was, is_, f"{_WORKERS}[{name}]", release, is_head=False)


def _of_group(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    path: str,
    release: KubeRayRelease,
    *,
    is_head: bool,
) -> Iterator[tuple[Difference, bool]]:
    for found in differences(old, new):
        inside = Difference(f"{path}.{found.path}", found.old, found.new, found.certain)
        yield inside, _is_muted(found.path, release, is_head=is_head)


def _is_muted(path: str, release: KubeRayRelease, *, is_head: bool) -> bool:
    if not release.hashes_tolerations and path.startswith(_OF_PODS):
        return True
    return not is_head and path.partition(".")[0] in _NUMBERS
