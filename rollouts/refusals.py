"""Edits that the API server takes and KubeRay or Ray refuses afterwards.

KubeRay then sets Ready to False with the reason ValidationFailed and does nothing at all, also not
with the serve config (`Reconcile` in ray-operator/controllers/ray/rayservice_controller.go). The
rules are those of `ValidateRayServiceSpec` and `ValidateRayClusterSpec` in
controllers/ray/utils/validation.go that hold for every release of the catalogue, as far as one
field tells. What only an operator's feature gates decide is not here.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from models.catalog import KubeRayRelease
from rollouts.serve_models import applications

_STRATEGIES: Final = ("NewCluster", "None", "NewClusterWithIncrementalUpgrade")
_CLUSTER: Final = "spec.rayClusterConfig"


def refusals(spec: Mapping[str, Any], release: KubeRayRelease) -> Iterator[str]:
    """Why KubeRay refuses a RayService's spec, if it does."""
    yield from _of_strategy(spec, release)
    yield from _of_cluster(spec["rayClusterConfig"], release)


def refusal_of_serve_config(text: Any, *, beside: Collection[str] = ()) -> str | None:
    """Why Ray refuses a serve config, after KubeRay has taken it; None if it does not.

    beside: the routes of further applications, which are not in the text.
    """
    if text is None or text == "":
        return "spec.serveConfigV2 is empty"
    try:
        routes = applications(text)
    except ValueError as error:
        return f"spec.serveConfigV2 {error}"
    twice = next((route for route in routes if route in beside), None)
    return f"spec.serveConfigV2 has two applications at {twice}" if twice else None


def _of_strategy(spec: Mapping[str, Any], release: KubeRayRelease) -> Iterator[str]:
    strategy = (spec.get("upgradeStrategy") or {}).get("type")
    known = _STRATEGIES if release.has_incremental_upgrade else _STRATEGIES[:-1]
    if strategy is not None and strategy not in known:
        yield f"spec.upgradeStrategy.type is none of {', '.join(known)}"


def _of_cluster(cluster: Mapping[str, Any], release: KubeRayRelease) -> Iterator[str]:
    head = cluster["headGroupSpec"]
    workers = cluster.get("workerGroupSpecs") or ()
    groups = [
        ("headGroupSpec", head),
        *((f"workerGroupSpecs[{group['groupName']}]", group) for group in workers),
    ]
    options = cluster.get("autoscalerOptions") or {}
    autoscales = bool(cluster.get("enableInTreeAutoscaling"))
    for name, group in groups:
        path = f"{_CLUSTER}.{name}"
        pod = group["template"]["spec"]
        if not pod.get("containers"):
            yield f"{path}.template.spec.containers is empty"
        restarts = pod.get("restartPolicy") or "Never"
        if autoscales and options.get("version") == "v2" and restarts != "Never":
            yield f"{path}.template.spec.restartPolicy is not Never, which the autoscaler needs"
        if autoscales and group.get("suspend"):
            yield f"{path}.suspend does not go with the autoscaler"
        if release.checks_group_ranges and group is not head:
            yield from _of_range(group, path)
            yield from _of_idle_timeout(group, path)
    if release.checks_group_ranges:
        yield from _of_idle_timeout(options, f"{_CLUSTER}.autoscalerOptions")


def _of_idle_timeout(section: Mapping[str, Any], path: str) -> Iterator[str]:
    seconds = section.get("idleTimeoutSeconds")
    if seconds is not None and seconds < 0:
        yield f"{path}.idleTimeoutSeconds is below 0"


def _of_range(group: Mapping[str, Any], path: str) -> Iterator[str]:
    low, high = group.get("minReplicas") or 0, group.get("maxReplicas")
    if low < 0 or (high is not None and high < 0):
        yield f"{path} has a negative number of workers"
    elif high is not None and low > high:
        yield f"{path}.minReplicas is above its maxReplicas"
