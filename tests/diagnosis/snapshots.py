"""Constructed snapshots: a service of two models that is well, and how one part of it changes.

The objects have the form in which the API server and Ray Serve 2.60.0 give them, as far as the
rules read it. Texts of others are quoted where they are used, with their source.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from diagnosis import Snapshot
from manifests import service_manifests
from planning import Plan
from tests.manifests.plans import model, plan, pool, replicas

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
CLUSTER = "llm-serving-abcde"
HEAD = f"{CLUSTER}-head-x1"
WORKER = f"{CLUSTER}-l4-worker-w1"
ACTOR = "0b5f8c1d2e3f4a5b6c7d8e9f01000000"
Object = dict[str, Any]


def ago(**spans: float) -> str:
    """A moment before `NOW`, as Kubernetes writes it."""
    return (NOW - timedelta(**spans)).strftime("%Y-%m-%dT%H:%M:%SZ")


def small_plan(**changes: Any) -> Plan:
    """One pool of L4 with two models: `chat` keeps a replica, `rare` none."""
    models = (
        model("chat", replicas=replicas(1, 2)),
        model("rare", source="acme/rare", replicas=replicas(0, 2)),
    )
    pools = (pool("l4", max_nodes=2),)
    return plan(models=models, pools=pools, ray="2.60.0", **changes)


def container(name: str, **changes: Any) -> Object:
    """The status of a container that runs."""
    return {
        "name": name,
        "image": "rayproject/ray-llm:2.60.0-py312-cu130",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": ago(hours=2)}},
        **changes,
    }


def pod(name: str, group: str, kind: str, *containers: Object, cluster: str = CLUSTER) -> Object:
    """A pod of Ray that is ready since two hours."""
    names = [item["name"] for item in containers]
    conditions = ("PodScheduled", "ContainersReady", "Ready")
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": ago(hours=2),
            "labels": {
                "ray.io/cluster": cluster,
                "ray.io/group": group,
                "ray.io/node-type": kind,
            },
        },
        "spec": {"nodeName": f"gke-{group}-1", "containers": [{"name": item} for item in names]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.9",
            "conditions": [
                {"type": item, "status": "True", "lastTransitionTime": ago(hours=2)}
                for item in conditions
            ],
            "containerStatuses": list(containers),
        },
    }


def pending(pod: Object, message: str, **spans: float) -> Object:
    """The pod without a node, as the scheduler leaves it."""
    waiting = copy.deepcopy(pod)
    waiting["metadata"]["creationTimestamp"] = ago(**spans)
    waiting["spec"].pop("nodeName")
    waiting["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": message,
                "lastTransitionTime": ago(**spans),
            }
        ],
    }
    return waiting


def event(reason: str, message: str, kind: str, name: str, **spans: float) -> Object:
    """An event about an object."""
    time = ago(**(spans or {"minutes": 1}))
    return {
        "metadata": {"name": f"{name}.{reason}", "creationTimestamp": time},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": kind, "name": name},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def node(name: str = "gke-l4-1", group: str = "l4", **changes: Any) -> Object:
    """A ready node of a pool."""
    return {
        "metadata": {
            "name": name,
            "labels": {"cloud.google.com/gke-nodepool": group},
        },
        "spec": {},
        "status": {
            "allocatable": {"cpu": "11900m", "memory": "44Gi", "nvidia.com/gpu": "1"},
            "conditions": [
                {"type": "Ready", "status": "True", "lastHeartbeatTime": ago(seconds=20)}
            ],
        },
        **changes,
    }


def operator(**changes: Any) -> Object:
    """KubeRay's Deployment as its chart writes it."""
    image = "quay.io/kuberay/operator:v1.6.2"
    return {
        "metadata": {
            "name": "kuberay-operator",
            "namespace": "kuberay-system",
            "labels": {"app.kubernetes.io/name": "kuberay-operator"},
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": image}]}}},
        "status": {"availableReplicas": 1},
        **changes,
    }


def ray_service(of: Plan) -> Object:
    """The RayService as the stack writes it, with the status of one that is well."""
    made: Object = copy.deepcopy(service_manifests(of).ray_service)
    made["metadata"] |= {
        "uid": "1",
        "generation": 3,
        "creationTimestamp": ago(days=3),
        "finalizers": ["ray.io/rayservice-finalizer"],
    }
    made["status"] = {
        "observedGeneration": 3,
        "activeServiceStatus": {"rayClusterName": CLUSTER},
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ago(hours=2)}],
    }
    return made


def replica(**changes: Any) -> Object:
    """A replica of Ray Serve that runs."""
    return {
        "replica_id": "r1",
        "state": "RUNNING",
        "node_id": "n1",
        "node_ip": "10.0.0.9",
        "node_instance_id": WORKER,
        "actor_id": ACTOR,
        "log_file_path": "/serve/replica_chat_r1.log",
        "start_time_s": (NOW - timedelta(hours=2)).timestamp(),
        **changes,
    }


def serve(of: Plan) -> Object:
    """Ray Serve's answer about the models of a plan, of which all run."""
    text = service_manifests(of).ray_service["spec"]["serveConfigV2"]
    found = {}
    for item in yaml.safe_load(text)["applications"]:
        name = item["route_prefix"].strip("/")
        found[item["name"]] = {
            "name": item["name"],
            "route_prefix": item["route_prefix"],
            "status": "RUNNING",
            "message": "",
            "last_deployed_time_s": (NOW - timedelta(hours=2)).timestamp(),
            "deployed_app_config": item,
            "deployments": {
                f"LLMServer:{name}": {
                    "status": "HEALTHY",
                    "message": "",
                    "replicas": [replica()] if name == "chat" else [],
                },
                f"LLMRouter:{name}": {
                    "status": "HEALTHY",
                    "message": "",
                    "replicas": [replica(node_instance_id="router", actor_id="")],
                },
            },
        }
    return {"applications": found}


def definition(version: str = "1.6.2") -> Object:
    """The metadata of one of KubeRay's definitions."""
    annotations = {"ray-llm/kuberay-version": version}
    return {"metadata": {"name": "rayservices.ray.io", "annotations": annotations}}


def well(of: Plan | None = None) -> Snapshot:
    """A service without any fault."""
    of = of or small_plan()
    manifests = service_manifests(of)
    return Snapshot(
        taken_at=NOW,
        server_time=NOW,
        ray_service=ray_service(of),
        ray_clusters=(
            {"metadata": {"name": CLUSTER, "creationTimestamp": ago(hours=2)}, "spec": {}},
        ),
        pods=(
            pod(HEAD, "headgroup", "head", container("ray-head"), container("autoscaler")),
            pod(WORKER, "l4", "worker", container("ray-worker")),
        ),
        nodes=(node(),),
        config_maps=tuple(copy.deepcopy(item) for item in manifests.config_maps),
        secrets=frozenset({"huggingface-secret"}),
        deployments=(operator(),),
        definitions=(definition(),),
        serve=serve(of),
        autoscaler={"data": {"autoscalingError": None}},
    )


def changed(snapshot: Snapshot, part: str, change: Callable[[Any], None]) -> Snapshot:
    """The snapshot with a part that a function has changed."""
    value = copy.deepcopy(getattr(snapshot, part))
    change(value)
    return replace(snapshot, **{part: value})


def with_pod(snapshot: Snapshot, name: str, new: Mapping[str, Any]) -> Snapshot:
    """The snapshot with another pod in place of the one of that name."""
    pods = tuple(new if item["metadata"]["name"] == name else item for item in snapshot.pods)
    return replace(snapshot, pods=pods)


def application(snapshot: Snapshot, name: str = "chat") -> Any:
    """A model's application in a copy that a test may change."""
    assert snapshot.serve is not None
    return next(
        item
        for item in snapshot.serve["applications"].values()
        if item["route_prefix"] == f"/{name}"
    )


def failing(message: str, status: str = "DEPLOY_FAILED", log: str = "") -> Snapshot:
    """The service whose model `chat` does not start, with Ray Serve's message about it."""

    def change(serve: Any) -> None:
        found = next(
            item for item in serve["applications"].values() if item["route_prefix"] == "/chat"
        )
        found["status"] = status
        deployment = found["deployments"]["LLMServer:chat"]
        deployment |= {
            "status": "DEPLOY_FAILED" if status == "DEPLOY_FAILED" else "UPDATING",
            "message": message,
            "replicas": [],
        }

    return replace(changed(well(), "serve", change), logs={ACTOR: log} if log else {})
