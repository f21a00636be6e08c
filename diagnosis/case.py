"""A snapshot beside the plan of its stack: what the rules look at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from diagnosis.replicas import applications
from diagnosis.shown_values import opened
from diagnosis.snapshot import (
    Object,
    Snapshot,
    cluster_named,
    condition,
    created,
    labels,
    listed,
    metadata,
    moment,
    pending_cluster,
)
from manifests import COMPONENT_LABEL, WEIGHTS_FILLER
from planning import ModelPlan, Plan, PoolPlan

CLUSTER_LABEL = "ray.io/cluster"
GROUP_LABEL = "ray.io/group"
TYPE_LABEL = "ray.io/node-type"
_WRITING_SECONDS = 60.0


@dataclass(frozen=True)
class Case:
    """What there is, and what there should be."""

    snapshot: Snapshot
    plan: Plan

    @cached_property
    def serve(self) -> Mapping[str, Mapping[str, Any]]:
        """The applications that serve, by the names of their models."""
        return applications(self.snapshot.serve)

    @cached_property
    def upcoming(self) -> Mapping[str, Mapping[str, Any]]:
        """Those of a Ray cluster that KubeRay is starting."""
        return applications(self.snapshot.upcoming)

    @property
    def active(self) -> str:
        """The Ray cluster that answers; empty if KubeRay names none."""
        return cluster_named(self.snapshot.ray_service, "activeServiceStatus")

    @property
    def pending(self) -> str:
        """The Ray cluster that KubeRay is starting; empty if there is none."""
        return pending_cluster(self.snapshot.ray_service)

    def ray_pods(self, cluster: str = "") -> Iterator[Object]:
        """The pods of a Ray cluster, or of all, without those that are being deleted."""
        for pod in self.snapshot.pods:
            own = labels(pod).get(CLUSTER_LABEL)
            if own and (not cluster or own == cluster) and not is_leaving(pod):
                yield pod

    def pods_of_group(self, group: str) -> Iterator[Object]:
        """The pods of a worker group, that of a GPU pool for instance."""
        return (pod for pod in self.ray_pods() if labels(pod).get(GROUP_LABEL) == group)

    @property
    def service_subject(self) -> str:
        """The RayService in words."""
        return f"RayService {self.plan.service.namespace}/{self.plan.service.name}"

    def head(self) -> Object | None:
        """The head's pod of the cluster that answers, or of the only one there is."""
        heads = [pod for pod in self.ray_pods(self.active or self.pending) if is_head(pod)]
        return max(heads, key=lambda pod: created(pod) or self.snapshot.now, default=None)

    def pool(self, pod: Object) -> PoolPlan | None:
        """The GPU pool of a pod; None if it is of none, as a head or a router."""
        group = labels(pod).get(GROUP_LABEL)
        return next((pool for pool in self.plan.pools if pool.id == group), None)

    def models_of(self, pool: PoolPlan) -> tuple[ModelPlan, ...]:
        """The models that are placed on a pool."""
        return tuple(model for model in self.plan.models if model.pool == pool.id)

    def is_placed_on(self, pool: PoolPlan) -> bool:
        """Whether the service that was deployed has a model on a pool, whatever the file says."""
        spec = (self.snapshot.ray_service or {}).get("spec") or {}
        return _has_key(opened(spec.get("serveConfigV2")), pool.id)

    def subject(self, pod: Object) -> str:
        """What a pod is for, in words: its pool and models, the head, or a Job."""
        group = str(labels(pod).get(GROUP_LABEL) or "")
        if is_head(pod):
            return "the Ray head"
        pool = self.pool(pod)
        models = ", ".join(model.name for model in self.models_of(pool)) if pool else ""
        if pool and models:
            return f"pool {pool.id} ({models})"
        if group:
            return f"worker group {group}"
        is_filler = labels(pod).get(COMPONENT_LABEL) == WEIGHTS_FILLER
        return "the Job that fills the bucket" if is_filler else "the smoke test"

    def age(self, since: datetime | None) -> float:
        """Seconds since a moment; 0 if it is not known."""
        return (self.snapshot.now - since).total_seconds() if since else 0.0

    def model(self, name: str) -> ModelPlan | None:
        """The model of that name in the stack."""
        return next((model for model in self.plan.models if model.name == name), None)

    @property
    def is_being_written(self) -> bool:
        """Whether the RayService was written this minute, so that what follows is on its way.

        An update also takes annotations off for a moment: Pulumi's provider gives up the fields of
        its former field manager first.
        """
        service = self.snapshot.ray_service
        times = [
            moment(entry.get("time"))
            for entry in listed(metadata(service or {}).get("managedFields"))
            if not entry.get("subresource")
        ]
        return any(time and self.age(time) < _WRITING_SECONDS for time in times)

    @property
    def all_run(self) -> bool:
        """Whether every model of the stack runs, as Ray Serve says."""
        return all(
            str(self.serve.get(model.name, {}).get("status")) == "RUNNING"
            for model in self.plan.models
        )


def is_head(pod: Object) -> bool:
    """Whether a pod is the head of a Ray cluster."""
    return labels(pod).get(TYPE_LABEL) == "head"


def job_of(pod: Object) -> str:
    """The Job that a pod is of; empty if it is of none."""
    own = labels(pod)
    return str(own.get("batch.kubernetes.io/job-name") or own.get("job-name") or "")


def is_leaving(item: Object) -> bool:
    """Whether an object is being deleted."""
    return bool((item.get("metadata") or {}).get("deletionTimestamp"))


def awaits_node(pod: Object) -> bool:
    """Whether the scheduler has found no node for a pod."""
    return condition(pod, "PodScheduled").get("reason") == "Unschedulable"


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready."""
    return condition(pod, "Ready").get("status") == "True"


def _has_key(tree: object, key: str) -> bool:
    """Whether a mapping of a tree has a key, as the resources of a placement name a pool."""
    if isinstance(tree, Mapping):
        return key in tree or any(_has_key(item, key) for item in tree.values())
    return isinstance(tree, list) and any(_has_key(item, key) for item in tree)
