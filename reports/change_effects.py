"""What the change from one stack file to another does to what runs, by the preview's own rules.

A preview compares with what the state has, this with another file: the two say the same if that
file is what was deployed last.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from manifests import access_fields, service_manifests
from models.problems import Problem
from models.stack import RolloutStrategy
from planning import Plan
from reports.difference import Change
from reports.pool_fields import cpu_pool_fields, gpu_pools_fields
from reports.rollout import Rollout
from rollouts import (
    NOTHING_CHANGES,
    Kind,
    OperatorFields,
    PoolFields,
    Sentence,
    access_sentences,
    canary_problem,
    change_problems,
    cluster_fields,
    cluster_problem,
    cluster_sentence,
    operator_fields,
    operator_sentence,
    pool_problems,
    pool_sentences,
    predict,
    sentences,
    service_fields,
    service_problems,
    service_sentence,
)
from rollouts import Change as ServiceChange
from rollouts import Rollout as Prediction


@dataclass(frozen=True, kw_only=True)
class ChangeEffects:
    """What a change does.

    sentences: what to know before, as a preview says it; never empty.
    problems: what stops the change, with its id, and what `ray-llm:rollout.allow` lets pass.
    settings: the settings of `ray-llm:rollout` that differ.
    prediction: what happens to the RayService; None if the cluster is replaced with all in it.
    recreates: whether a Ray cluster goes before its successor answers.
    """

    sentences: tuple[Sentence, ...]
    problems: tuple[Problem, ...]
    settings: tuple[Change, ...]
    prediction: Prediction | None
    recreates: bool

    @property
    def is_nothing(self) -> bool:
        """Whether nothing that serves changes, and no setting about changes either."""
        return self.sentences == (NOTHING_CHANGES,) and not (self.settings or self.problems)


def change_effects(old: Plan, new: Plan) -> ChangeEffects:
    """What the change from `old` to `new` does."""
    before, after = _identity(old), _identity(new)
    prediction: Prediction | None = None
    problems: tuple[Problem, ...] = ()
    if replaced := cluster_sentence(before, after):
        said = [replaced]
        problem = cluster_problem(before, after)
        problems = (problem,) if problem else ()
    else:
        # Of the operator the prediction says nothing, because it stands beside the RayService.
        operator = operator_sentence(_operator(old), _operator(new))
        said = [operator] if operator else []
        prediction, of_service, problems = _of_service(old, new)
        said += [*of_service, *_of_pools(old, new)]
        problems = (*problems, *_pool_problems(old, new))
        of_access, access_problems = _of_access(old, new)
        said += of_access
        problems = (*problems, *access_problems)
    return ChangeEffects(
        sentences=tuple(said) or (NOTHING_CHANGES,),
        problems=problems,
        settings=tuple(_settings(old, new)),
        prediction=prediction,
        recreates=new.rollout.strategy is RolloutStrategy.RECREATE,
    )


def _of_access(old: Plan, new: Plan) -> tuple[tuple[Sentence, ...], tuple[Problem, ...]]:
    before, after = access_fields(old), access_fields(new)
    problem = canary_problem(before, after)
    return access_sentences(before, after), (problem,) if problem else ()


def _identity(plan: Plan) -> Mapping[str, object]:
    cluster = plan.cluster
    return cluster_fields(
        plan.project,
        cluster.name,
        cluster.location,
        existing=cluster.existing,
        network=cluster.network,
        subnetwork=cluster.subnetwork,
        protected=cluster.deletion_protection,
    )


def _operator(plan: Plan) -> OperatorFields:
    return operator_fields(plan.release.install, plan.release.kuberay.version)


def _of_service(
    old: Plan, new: Plan
) -> tuple[Prediction, tuple[Sentence, ...], tuple[Problem, ...]]:
    before, after = service_manifests(old), service_manifests(new)
    # A preview does not know what the nodes of a pool that goes cost.
    expected = replace(
        after.rollout.expected,
        pools={**before.rollout.expected.pools, **after.rollout.expected.pools},
    )
    prediction = predict(
        before.ray_service,
        after.ray_service,
        after.kuberay,
        after.rollout.pool_gpus,
        after.rollout.quotas,
    )
    if prediction.kind is Kind.REPLACED:
        was, is_ = (
            service_fields(
                item.rollout.namespace,
                item.rollout.name,
                item.room,
                smoke_test=item.rollout.smoke_test,
            )
            for item in (before, after)
        )
        renamed = service_sentence(was, is_)
        problems = service_problems(was, is_, after.room, after.rollout.policy)
        return prediction, (renamed,) if renamed else (), problems
    said = sentences(prediction, names_release=after.names_ray_release, expected=expected)
    change = ServiceChange(
        old=before.ray_service,
        new=after.ray_service,
        rollout=prediction,
        room=after.room,
    )
    return prediction, said, change_problems(change, after.rollout.policy)


def _of_pools(old: Plan, new: Plan) -> Iterator[Sentence]:
    for before, after, ray_head in _pools(old, new):
        yield from pool_sentences(before, after, ray_head=ray_head)


def _pool_problems(old: Plan, new: Plan) -> Iterator[Problem]:
    if new.cluster.deletion_protection:
        for before, after, ray_head in _pools(old, new):
            yield from pool_problems(before, after, new.rollout.allow, ray_head=ray_head)


_Pools = Mapping[str, PoolFields]


def _pools(old: Plan, new: Plan) -> Iterator[tuple[_Pools, _Pools, bool]]:
    """The pools before and after, and whether they host the Ray head."""
    yield _gpu_pools(old), _gpu_pools(new), False
    # Of an adopted cluster the CPU pool is not this program's.
    if not new.cluster.existing:
        yield _cpu_pool(old), _cpu_pool(new), True


def _gpu_pools(plan: Plan) -> _Pools:
    return gpu_pools_fields(plan.pools)


def _cpu_pool(plan: Plan) -> _Pools:
    pool = plan.cluster.cpu_pool
    return {pool.name: cpu_pool_fields(pool, plan.cluster.zones)}


def _settings(old: Plan, new: Plan) -> Iterator[Change]:
    rows = zip(_as_data(old), _as_data(new), strict=True)
    for (key, before), (_, after) in rows:
        if before != after:
            yield Change(key=f"rollout.{key}", old=before, new=after, rollout=Rollout.AT_ONCE)


def _as_data(plan: Plan) -> list[tuple[str, object]]:
    return [
        ("strategy", str(plan.rollout.strategy)),
        ("withoutRoom", str(plan.rollout.without_room)),
        ("allow", list(plan.rollout.allow) or None),
    ]
