"""What a rollout has to know of a service, beside its objects."""

from collections.abc import Mapping
from dataclasses import dataclass

from manifests.smoke_test.script.serve_api import APPLICATIONS
from manifests.smoke_test.script.settings import JOB_ANNOTATION
from models.stack import RolloutStrategy, WithoutRoom
from planning import Plan


@dataclass(frozen=True, kw_only=True)
class RolloutManifest:
    """Where the RayService is, and what it may take.

    job_annotation: the annotation that names the Job of what was last deployed; smoke_test: this
        Job's name now.
    applications_path: Ray Serve's API through the API server.
    pool_gpus: the most GPUs that each pool can have.
    without_room: what an edited model does if its pool has no room for a second version.
    strategy: what is done about a change that needs a second Ray cluster.
    allow: the id of the one change that the guards let pass.
    """

    namespace: str
    name: str
    job_annotation: str
    smoke_test: str
    applications_path: str
    pool_gpus: Mapping[str, int]
    without_room: WithoutRoom = WithoutRoom.HOLD
    strategy: RolloutStrategy = RolloutStrategy.NEW_CLUSTER
    allow: str | None = None


def rollout_manifest(plan: Plan, smoke_test: str) -> RolloutManifest:
    """For the service of a plan; smoke_test: the name of its Job."""
    service = plan.service
    head = f"http:{service.head_service}:{service.dashboard_port}"
    return RolloutManifest(
        namespace=service.namespace,
        name=service.name,
        job_annotation=JOB_ANNOTATION,
        smoke_test=smoke_test,
        applications_path=(
            f"/api/v1/namespaces/{service.namespace}/services/{head}/proxy{APPLICATIONS}"
        ),
        pool_gpus={pool.id: pool.max_nodes * pool.tier.gpu_count for pool in plan.pools},
        without_room=plan.rollout.without_room,
        strategy=plan.rollout.strategy,
        allow=plan.rollout.allow,
    )
