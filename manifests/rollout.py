"""What a rollout has to know of a service, beside its objects."""

from collections.abc import Mapping
from dataclasses import dataclass

from manifests.smoke_test.script.serve_api import APPLICATIONS
from manifests.smoke_test.script.settings import JOB_ANNOTATION
from models.stack import RolloutStrategy, WithoutRoom
from planning import Plan, Seconds, cold_start
from rollouts import Duration, Expectation, GpuQuota, ModelStart, Policy, PoolNode, Room


@dataclass(frozen=True, kw_only=True)
class RolloutManifest:
    """Where the RayService is, and what it may take.

    job_annotation: the annotation that names the Job of what was last deployed; smoke_test: this
        Job's name now.
    applications_path: Ray Serve's API through the API server.
    pool_gpus: the most GPUs that each pool can have; quotas: what limits several together.
    expected: how long models take to start, and what their nodes cost.
    without_room: what an edited model does if its pool has no room for a second version.
    strategy: what is done about a change that needs a second Ray cluster.
    allow: the ids of the changes that the guards let pass.
    owns_pools: whether the same program creates and deletes the node pools.
    """

    namespace: str
    name: str
    job_annotation: str
    smoke_test: str
    applications_path: str
    pool_gpus: Mapping[str, int]
    quotas: tuple[GpuQuota, ...] = ()
    expected: Expectation
    without_room: WithoutRoom = WithoutRoom.HOLD
    strategy: RolloutStrategy = RolloutStrategy.NEW_CLUSTER
    allow: tuple[str, ...] = ()
    owns_pools: bool = True

    @property
    def policy(self) -> Policy:
        """What the stack says about changes."""
        return Policy(
            without_room=self.without_room,
            strategy=self.strategy,
            removes_pools=self.owns_pools,
            allow=self.allow,
        )


def rollout_manifest(
    plan: Plan, smoke_test: str, room: Room, *, owns_pools: bool = True
) -> RolloutManifest:
    """For the service of a plan; smoke_test: the name of its Job; room: what the plan leaves."""
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
        pool_gpus=room.pool_gpus,
        quotas=room.gpu_quotas,
        expected=_expectation(plan, room),
        without_room=plan.rollout.without_room,
        strategy=plan.rollout.strategy,
        allow=plan.rollout.allow,
        owns_pools=owns_pools,
    )


def _expectation(plan: Plan, room: Room) -> Expectation:
    gpus = room.pool_gpus
    starts = [(model, cold_start(model, plan.pool(model.pool))) for model in plan.models]
    return Expectation(
        models={
            model.name: ModelStart(
                replicas=model.replicas.min,
                anew=_duration(start.anew),
                beside=_duration(start.beside),
                in_place=_duration(start.in_place),
            )
            for model, start in starts
        },
        pools={
            pool.id: PoolNode(gpus=pool.tier.gpu_count, usd_per_hour=pool.node_usd_per_hour)
            for pool in plan.pools
        },
        at_minimum={pool.id: pool.nodes_at_min * pool.tier.gpu_count for pool in plan.pools},
        request_timeout_s=plan.service.request_timeout_seconds,
        recreates=plan.rollout.strategy is RolloutStrategy.RECREATE,
        without_room=plan.rollout.without_room,
        full={
            pool.id: gpus[pool.id]
            for pool in plan.pools
            if pool.nodes_at_max * pool.tier.gpu_count > gpus[pool.id]
        },
    )


def _duration(seconds: Seconds) -> Duration:
    return Duration(least=seconds.least, most=seconds.most)
