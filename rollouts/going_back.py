"""What an update that did not end left in the cluster, and what the next one has to do about it.

An update can be killed at any moment, and a failed one stays as it is. If it began a second Ray
cluster, KubeRay goes on with that one: it compares the RayService with the newest cluster alone. So
if the old spec comes back, KubeRay starts a third cluster for it, although the first one still runs
and is what the spec says (`shouldPrepareNewCluster` in
ray-operator/controllers/ray/rayservice_controller.go). Here it is decided whether the one that
answers is what is wanted; then the second one is given up.

Pure: objects in, decisions out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.catalog import KubeRayRelease, kuberay_releases
from rollouts.ray_cluster import cluster_change
from rollouts.tree import differences


@dataclass(frozen=True, kw_only=True)
class Left:
    """What is in the cluster.

    spec: that of the RayService; job: the smoke test that its annotation names.
    answering: the spec of the RayCluster that answers; None if none does.
    starts_another: whether KubeRay is starting another RayCluster.
    """

    spec: Mapping[str, Any]
    job: str | None
    answering: Mapping[str, Any] | None
    starts_another: bool


@dataclass(frozen=True, kw_only=True)
class WayBack:
    """What to do.

    gives_up: the second Ray cluster that starts, or is about to, is not needed: the one that
        answers is as wanted.
    writes: the RayService is not as wanted, and the engine may leave it alone.
    """

    gives_up: bool
    writes: bool


def way_back(
    left: Left,
    wanted: Mapping[str, Any],
    job: str,
    kuberay: str | None,
    *,
    was_deployed: bool,
) -> WayBack:
    """What to do before the engine compares its state with what is wanted.

    wanted: the spec of the RayService. job: the smoke test that goes with it.
    kuberay: the release of the operator; None if it is not known.
    was_deployed: whether exactly this was deployed before. Then the engine's state may have it as
        the newest, because an update that is killed tells the state nothing of what it sent.
    """
    cluster = "rayClusterConfig"
    same = is_as_wanted(left.answering, wanted[cluster], kuberay)
    # Other numbers of workers, as another model needs them, are no cluster of their own.
    changed = _differ(left.spec.get(cluster), wanted[cluster]) and not is_as_wanted(
        left.spec.get(cluster), wanted[cluster], kuberay
    )
    differs = left.job != job or _differ(left.spec, wanted)
    return WayBack(
        gives_up=same and (left.starts_another or changed),
        writes=differs and (was_deployed or left.job == job),
    )


def is_as_wanted(
    answering: Mapping[str, Any] | None, wanted: Mapping[str, Any], kuberay: str | None
) -> bool:
    """Whether KubeRay takes a RayCluster for one of this spec; False if that is not certain.

    answering: the spec of the RayCluster; None if there is none.
    """
    if answering is None:
        return False
    release = kuberay_releases().get(kuberay or "")
    releases = [release] if release else list(kuberay_releases().values())
    try:
        return all(_is_same(answering, wanted, row) for row in releases)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False  # not of this program's form


def _differ(live: Any, wanted: Any) -> bool:
    # What the API server and the operator fill in is no difference.
    return any(found.certain for found in differences(live, wanted))


def _is_same(
    answering: Mapping[str, Any], wanted: Mapping[str, Any], release: KubeRayRelease
) -> bool:
    change = cluster_change(answering, wanted, release)
    return not change.hashed and not change.unclear
