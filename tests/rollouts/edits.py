"""Edits of a running RayService, each with what this release of KubeRay does about it.

The service has the worker groups routers, t4 and l4, and at least two models with a replica each.
The same edits are predicted here and applied to a real operator by tests/cluster.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from rollouts import Kind

Spec = dict[str, Any]
CLUSTER = "spec.rayClusterConfig"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One edit of a RayService's spec.

    kind: what KubeRay 1.6.2 does; on: what other releases do.
    fields: the paths that cause a second cluster or are ignored, below rayClusterConfig.
    """

    name: str
    apply: Callable[[Spec], None]
    kind: Kind
    on: Mapping[str, Kind] = field(default_factory=dict)
    fields: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def applied(self, ray_service: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the object with this edit."""
        edited: dict[str, Any] = copy.deepcopy(dict(ray_service))
        self.apply(edited["spec"])
        return edited

    def expected(self, kuberay: str) -> Kind:
        return self.on.get(kuberay, self.kind)


# What the edits change


def _cluster(spec: Spec) -> Spec:
    cluster: Spec = spec["rayClusterConfig"]
    return cluster


def _head(spec: Spec) -> Spec:
    head: Spec = _cluster(spec)["headGroupSpec"]
    return head


def _group(spec: Spec, name: str = "l4") -> Spec:
    groups: list[Spec] = _cluster(spec)["workerGroupSpecs"]
    return next(group for group in groups if group["groupName"] == name)


def _pod(group: Spec) -> Spec:
    pod: Spec = group["template"]["spec"]
    return pod


def _container(group: Spec) -> Spec:
    container: Spec = _pod(group)["containers"][0]
    return container


def _set(target: Callable[[Spec], Spec], key: str, value: Any) -> Callable[[Spec], None]:
    def apply(spec: Spec) -> None:
        target(spec)[key] = copy.deepcopy(value)

    return apply


def _all(*edits: Callable[[Spec], None]) -> Callable[[Spec], None]:
    def apply(spec: Spec) -> None:
        for edit in edits:
            edit(spec)

    return apply


def serving(change: Callable[[dict[str, Any]], None]) -> Callable[[Spec], None]:
    """An edit of what serveConfigV2 says."""

    def apply(spec: Spec) -> None:
        config = yaml.safe_load(spec["serveConfigV2"])
        change(config)
        spec["serveConfigV2"] = yaml.safe_dump(config, sort_keys=False)

    return apply


def _llm_config(config: dict[str, Any], index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = config["applications"][index]["args"]["llm_configs"][0]
    return found


def _sleeping_copy(config: dict[str, Any]) -> None:
    added = copy.deepcopy(config["applications"][0])
    added |= {"name": "added", "route_prefix": "/added"}
    llm_config = added["args"]["llm_configs"][0]
    llm_config["model_loading_config"]["model_id"] = "added"
    asleep = {"min_replicas": 0, "initial_replicas": 0}
    llm_config["deployment_config"]["autoscaling_config"] |= asleep
    for override in added["deployments"]:
        if override["name"].startswith("LLMServer:"):
            override["name"] = "LLMServer:added"
            override["autoscaling_config"] |= asleep
    config["applications"].append(added)


def _another_group(spec: Spec, name: str) -> Spec:
    group = copy.deepcopy(_group(spec))
    return group | {"groupName": name, "replicas": 0}


def _append(name: str) -> Callable[[Spec], None]:
    def apply(spec: Spec) -> None:
        _cluster(spec)["workerGroupSpecs"].append(_another_group(spec, name))

    return apply


def _insert(spec: Spec) -> None:
    _cluster(spec)["workerGroupSpecs"].insert(1, _another_group(spec, "between"))


def _remove(spec: Spec) -> None:
    del _cluster(spec)["workerGroupSpecs"][-1]


def _reverse(spec: Spec) -> None:
    _cluster(spec)["workerGroupSpecs"].reverse()


def _longer_timeout(config: dict[str, Any]) -> None:
    config["http_options"]["request_timeout_s"] += 1


def _fewer_sequences(config: dict[str, Any]) -> None:
    _llm_config(config)["engine_kwargs"]["max_num_seqs"] = 7


def _another_route(config: dict[str, Any]) -> None:
    config["applications"][0]["route_prefix"] = "/moved"


def _router_slots(config: dict[str, Any]) -> None:
    config["applications"][0]["deployments"][0]["max_ongoing_requests"] = 77


def _router_processes(config: dict[str, Any]) -> None:
    config["applications"][0]["deployments"][0]["ray_actor_options"]["num_cpus"] = 0.1


def _override_of_a_model(config: dict[str, Any]) -> None:
    application = config["applications"][0]
    model = application["args"]["llm_configs"][0]["model_loading_config"]["model_id"]
    name = f"LLMServer:{model.replace('.', '_')}"
    entries = [item for item in application["deployments"] if item["name"] == name]
    if not entries:
        entries.append({"name": name})
        application["deployments"] += entries
    entries[0]["max_ongoing_requests"] = 77


def _same_in_milli(spec: Spec) -> None:
    for amounts in _container(_group(spec))["resources"].values():
        amounts["cpu"] = f"{int(amounts['cpu'])}000m"


def _without_protocol(spec: Spec) -> None:
    for port in _container(_head(spec))["ports"]:
        port["protocol"] = "TCP"
        if port["name"] == "serve":
            del port["protocol"]


def _more_cpu(spec: Spec) -> None:
    for amounts in _container(_group(spec))["resources"].values():
        amounts["cpu"] = "1"


def _added_env(spec: Spec) -> None:
    _container(_group(spec))["env"].append({"name": "ADDED", "value": "1"})


def _reordered_env(spec: Spec) -> None:
    _container(_group(spec))["env"].reverse()


def _added_volume(spec: Spec) -> None:
    _pod(_group(spec)).setdefault("volumes", []).append({"name": "scratch", "emptyDir": {}})


TOLERATION = {"key": "example.com/reserved", "operator": "Exists", "effect": "NoSchedule"}
GATE = {"name": "example.com/held"}
_HEAD_IMAGE = "rayproject/ray-llm:another"


def _tolerated(target: Callable[[Spec], Spec]) -> Callable[[Spec], None]:
    def apply(spec: Spec) -> None:
        pod = _pod(target(spec))
        pod["tolerations"] = [*pod.get("tolerations", ()), TOLERATION]

    return apply


def gated(spec: Spec) -> None:
    """Hold the pods of every group back, so that a second cluster starts no process."""
    for group in (_head(spec), *_cluster(spec)["workerGroupSpecs"]):
        _pod(group)["schedulingGates"] = [dict(GATE)]


_IMAGE = _set(lambda spec: _container(_head(spec)), "image", _HEAD_IMAGE)
_WITHOUT_UPGRADES = _set(lambda spec: spec["upgradeStrategy"], "type", "None")
SINCE_1_5_2 = {"1.4.2": Kind.SECOND_CLUSTER}
SINCE_1_6 = {"1.4.2": Kind.IGNORED, "1.5.2": Kind.IGNORED}

GATES = Edit(
    name="gates on all pods",
    apply=gated,
    kind=Kind.IGNORED,
    on=SINCE_1_5_2,
    fields=tuple(
        f"{group}.template.spec.schedulingGates"
        for group in (
            "headGroupSpec",
            *(f"workerGroupSpecs[{name}]" for name in ("routers", "t4", "l4")),
        )
    ),
)

EDITS = (
    # Nothing, though the text differs
    Edit(name="a protocol left to its default", apply=_without_protocol, kind=Kind.NOTHING),
    Edit(name="the same amount in milli", apply=_same_in_milli, kind=Kind.NOTHING),
    # Serve
    Edit(name="a model is added", apply=serving(_sleeping_copy), kind=Kind.SERVE),
    Edit(
        name="a model is removed",
        apply=serving(lambda config: config["applications"].pop()),
        kind=Kind.SERVE,
    ),
    Edit(name="a model is edited", apply=serving(_fewer_sequences), kind=Kind.SERVE),
    Edit(name="a model gets another route", apply=serving(_another_route), kind=Kind.SERVE),
    Edit(name="a router takes more requests", apply=serving(_router_slots), kind=Kind.SERVE),
    Edit(name="a router asks for more", apply=serving(_router_processes), kind=Kind.SERVE),
    Edit(name="an override of a model", apply=serving(_override_of_a_model), kind=Kind.SERVE),
    Edit(name="the same in another layout", apply=serving(lambda _: None), kind=Kind.SERVE),
    Edit(name="a longer timeout of the proxies", apply=serving(_longer_timeout), kind=Kind.SERVE),
    # Not seen by the hash
    Edit(
        name="replicas of a group",
        apply=_set(_group, "replicas", 2),
        kind=Kind.IGNORED,
        fields=("workerGroupSpecs[l4].replicas",),
    ),
    Edit(
        name="the maximum of a group",
        apply=_set(_group, "maxReplicas", 77),
        kind=Kind.IGNORED,
        fields=("workerGroupSpecs[l4].maxReplicas",),
    ),
    Edit(
        name="the minimum of a group",
        apply=_set(_group, "minReplicas", 1),
        kind=Kind.IGNORED,
        fields=("workerGroupSpecs[l4].minReplicas",),
    ),
    Edit(
        name="a toleration of workers",
        apply=_tolerated(_group),
        kind=Kind.IGNORED,
        on=SINCE_1_5_2,
        fields=("workerGroupSpecs[l4].template.spec.tolerations",),
    ),
    Edit(
        name="a toleration of the head",
        apply=_tolerated(_head),
        kind=Kind.IGNORED,
        on=SINCE_1_5_2,
        fields=("headGroupSpec.template.spec.tolerations",),
    ),
    # Beside the cluster
    Edit(
        name="a label of the Service",
        apply=_set(lambda spec: spec, "serveService", {"metadata": {"labels": {"team": "ml"}}}),
        kind=Kind.IGNORED,
    ),
    Edit(
        name="a threshold of old releases",
        apply=_set(lambda spec: spec, "serviceUnhealthySecondThreshold", 900),
        kind=Kind.IGNORED,
    ),
    Edit(
        name="the head takes no requests",
        apply=_set(lambda spec: spec, "excludeHeadPodFromServeSvc", True),
        kind=Kind.IN_PLACE,
    ),
    Edit(name="no more second clusters", apply=_WITHOUT_UPGRADES, kind=Kind.IN_PLACE),
    Edit(
        name="an image without second clusters",
        apply=_all(_IMAGE, _WITHOUT_UPGRADES),
        kind=Kind.IN_PLACE,
        fields=("headGroupSpec.template.spec.containers[ray-head].image",),
    ),
    # Refused
    Edit(
        name="an unknown strategy",
        apply=_set(lambda spec: spec["upgradeStrategy"], "type", "Rolling"),
        kind=Kind.REFUSED,
    ),
    Edit(
        name="a minimum above the maximum",
        apply=_all(_set(_group, "minReplicas", 9), _set(_group, "maxReplicas", 3)),
        kind=Kind.REFUSED,
        on=SINCE_1_6,
    ),
    Edit(
        name="a group's idle timeout below zero",
        apply=_set(_group, "idleTimeoutSeconds", -1),
        kind=Kind.REFUSED,
        on={"1.4.2": Kind.SECOND_CLUSTER, "1.5.2": Kind.SECOND_CLUSTER},
    ),
    Edit(
        name="pods that restart",
        apply=_set(lambda spec: _pod(_group(spec)), "restartPolicy", "Always"),
        kind=Kind.REFUSED,
    ),
    Edit(
        name="a refused strategy and a model",
        apply=_all(
            _set(lambda spec: spec["upgradeStrategy"], "type", "Rolling"),
            serving(_fewer_sequences),
        ),
        kind=Kind.REFUSED,
    ),
    Edit(
        name="no serve config",
        apply=_set(lambda spec: spec, "serveConfigV2", ""),
        kind=Kind.REFUSED,
    ),
    Edit(
        name="a serve config that is no mapping",
        apply=_set(lambda spec: spec, "serveConfigV2", "- a\n"),
        kind=Kind.REFUSED,
    ),
    # A second cluster
    Edit(
        name="an image",
        apply=_IMAGE,
        kind=Kind.SECOND_CLUSTER,
        fields=("headGroupSpec.template.spec.containers[ray-head].image",),
    ),
    Edit(
        name="an image and a model",
        apply=_all(_IMAGE, serving(_fewer_sequences)),
        kind=Kind.SECOND_CLUSTER,
        fields=("headGroupSpec.template.spec.containers[ray-head].image",),
    ),
    Edit(
        name="the Ray version alone",
        apply=_set(_cluster, "rayVersion", "2.50.0"),
        kind=Kind.SECOND_CLUSTER,
        fields=("rayVersion",),
    ),
    Edit(
        name="an environment variable",
        apply=_added_env,
        kind=Kind.SECOND_CLUSTER,
        fields=("workerGroupSpecs[l4].template.spec.containers[ray-worker].env[ADDED]",),
    ),
    Edit(
        name="the order of the environment",
        apply=_reordered_env,
        kind=Kind.SECOND_CLUSTER,
        fields=("workerGroupSpecs[l4].template.spec.containers[ray-worker].env",),
    ),
    Edit(name="CPUs of a worker", apply=_more_cpu, kind=Kind.SECOND_CLUSTER),
    Edit(
        name="the nodes of a group",
        apply=_set(lambda spec: _pod(_group(spec)), "nodeSelector", {"pool": "another"}),
        kind=Kind.SECOND_CLUSTER,
    ),
    Edit(
        name="a volume",
        apply=_added_volume,
        kind=Kind.SECOND_CLUSTER,
        fields=("workerGroupSpecs[l4].template.spec.volumes[scratch]",),
    ),
    Edit(
        name="the grace of a pod",
        apply=_set(lambda spec: _pod(_group(spec)), "terminationGracePeriodSeconds", 15),
        kind=Kind.SECOND_CLUSTER,
        fields=("workerGroupSpecs[l4].template.spec.terminationGracePeriodSeconds",),
    ),
    Edit(
        name="an annotation of the head",
        apply=_set(lambda spec: _head(spec)["template"], "metadata", {"annotations": {"a": "b"}}),
        kind=Kind.SECOND_CLUSTER,
        fields=("headGroupSpec.template.metadata.annotations",),
    ),
    Edit(
        name="a start parameter",
        apply=_set(lambda spec: _group(spec)["rayStartParams"], "num-cpus", "3"),
        kind=Kind.SECOND_CLUSTER,
        fields=("workerGroupSpecs[l4].rayStartParams.num-cpus",),
    ),
    Edit(
        name="the idle timeout",
        apply=_set(lambda spec: _cluster(spec)["autoscalerOptions"], "idleTimeoutSeconds", 77),
        kind=Kind.SECOND_CLUSTER,
        fields=("autoscalerOptions.idleTimeoutSeconds",),
    ),
    Edit(
        name="the idle timeout of a group",
        apply=_set(_group, "idleTimeoutSeconds", 20),
        kind=Kind.SECOND_CLUSTER,
        fields=("workerGroupSpecs[l4].idleTimeoutSeconds",),
    ),
    Edit(
        name="the upscaling mode",
        apply=_set(lambda spec: _cluster(spec)["autoscalerOptions"], "upscalingMode", "Aggressive"),
        kind=Kind.SECOND_CLUSTER,
        fields=("autoscalerOptions.upscalingMode",),
    ),
    Edit(name="a group between others", apply=_insert, kind=Kind.SECOND_CLUSTER),
    Edit(name="a group less", apply=_remove, kind=Kind.SECOND_CLUSTER),
    Edit(
        name="the order of the groups",
        apply=_reverse,
        kind=Kind.SECOND_CLUSTER,
        fields=("workerGroupSpecs",),
    ),
    Edit(
        name="another name of a group",
        apply=_set(_group, "groupName", "renamed"),
        kind=Kind.SECOND_CLUSTER,
        fields=("workerGroupSpecs[l4]", "workerGroupSpecs[renamed]"),
    ),
)

# In place, and not to be undone in place.
APPENDS = (
    Edit(name="a group at the end", apply=_append("appended"), kind=Kind.GROUPS),
    Edit(
        name="a group at the end and a toleration",
        apply=_all(_append("appended-2"), _tolerated(_group)),
        kind=Kind.GROUPS,
        on=SINCE_1_5_2,
    ),
    Edit(
        name="a group at the end without second clusters",
        apply=_all(_append("appended-3"), _WITHOUT_UPGRADES),
        kind=Kind.GROUPS,
    ),
)
