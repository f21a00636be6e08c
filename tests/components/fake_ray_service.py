"""A RayService in memory, with KubeRay's rules about its Ray clusters (shouldPrepareNewCluster)."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from components.live_ray_service import RayServiceError, State
from manifests import serve_config_text
from rollouts import ModelState, Seen

JOB = "ray-llm/smoke-test-job"


def cluster_spec(image: str) -> dict[str, Any]:
    """The spec of a Ray cluster that differs from others by its image alone."""
    return {
        "rayVersion": "2.60.0",
        "headGroupSpec": {
            "template": {"spec": {"containers": [{"name": "ray-head", "image": image}]}}
        },
        "workerGroupSpecs": [],
    }


def ray_service(image: str, job: str, *models: str) -> dict[str, Any]:
    """A RayService whose models are named as their routes, with their version behind a dash."""
    applications = [
        {"name": model, "route_prefix": f"/{model.partition('-')[0]}"} for model in models
    ]
    config = {"proxy_location": "EveryNode", "http_options": {}, "applications": applications}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": "llm", "namespace": "ai", "annotations": {JOB: job}},
        "spec": {
            "serveConfigV2": serve_config_text(config),
            "rayClusterConfig": cluster_spec(image),
        },
    }


@dataclass
class FakeRayService:
    """In place of LiveRayService. Each request of ours is followed by a look of the operator.

    clusters: the specs of the Ray clusters by name.
    serving: the serve config of the cluster that answers; asks: whether Ray Serve may be asked.
    jobs: the smoke tests that are there.
    takes_over: whether a pending cluster answers at the next look.
    may_drop: whether the caller may change the status.
    """

    manifest: dict[str, Any]
    active: str = "first"
    pending: str = ""
    clusters: dict[str, Any] = field(default_factory=dict)
    serving: str = ""
    jobs: tuple[str, ...] = ()
    asks: bool = True
    takes_over: bool = False
    may_drop: bool = True
    head_starts: bool = True
    version: int = 0
    started: list[str] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def state(self) -> State:
        found = State(
            serve_config=yaml.safe_load(self.manifest["spec"]["serveConfigV2"]),
            statuses={},
            starting={},
            active=self.active,
            pending=self.pending,
            head_starts=bool(self.pending) and self.head_starts,
            smoke_test=self.manifest["metadata"]["annotations"].get(JOB),
            spec=copy.deepcopy(self.manifest["spec"]),
            managers=("pulumi-kubernetes-1",),
            uid="uid",
            version=str(self.version),
        )
        if self.takes_over and self.pending:
            self.active, self.pending = self.pending, ""
        return found

    def answering(self, state: State) -> Mapping[str, Any] | None:
        return self.clusters.get(state.active)

    def was_deployed(self, job: str) -> bool:
        return job in self.jobs

    def deployed(self) -> Mapping[str, Any] | None:
        return yaml.safe_load(self.serving) if self.asks else None

    def write(self, manifest: Mapping[str, Any], state: State) -> bool:
        if state.version != str(self.version):
            return False
        self.manifest = copy.deepcopy(dict(manifest))
        self._look()
        return True

    def drop_pending(self, state: State) -> bool:
        if not self.may_drop:
            raise RayServiceError("you may not change it")
        if state.version != str(self.version):
            return False
        self.pending = ""
        self._look()
        return True

    def delete_answering(self, state: State) -> None:
        self.deleted.append(state.active)
        del self.clusters[state.active]

    def seen(self, state: State) -> Seen:
        return Seen(
            active=state.active,
            pending=state.pending,
            models={"chat": ModelState(status="RUNNING")},
            pods=(),
        )

    def _look(self) -> None:
        """What the operator does."""
        self.version += 1
        newest = self.clusters.get(self.pending or self.active)
        if newest != self.manifest["spec"]["rayClusterConfig"]:
            self.pending = f"cluster-{self.version}"
            self.clusters[self.pending] = self.manifest["spec"]["rayClusterConfig"]
            self.started.append(self.pending)
        if not self.pending:
            self.submitted.append(self.manifest["spec"]["serveConfigV2"])
