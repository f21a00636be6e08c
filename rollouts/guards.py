"""What stops a change of a running service before it begins, and how one change gets past it.

Each guard judges the change, never the service as it is. What it stops has an id, a hash of the
change and of why it stops; `ray-llm:rollout: {allow: <id>}` lets that one change pass with a
warning. Any other change has another id, so nothing has to be taken back.

There is no guard for a serve config that changes together with the Ray cluster's spec: every
release of KubeRay in the catalogue leaves the old cluster alone then (#3559, in 1.4.0; see
https://github.com/ray-project/kuberay/issues/3423).
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from models.catalog import quota_in_words
from models.problems import Problem, Severity
from models.stack import RolloutStrategy, WithoutRoom
from planning import nodes_for
from rollouts.gpu_quota import GpuQuota
from rollouts.handover import ServeConfig, held_models, model_of, pool_of, running_at_least
from rollouts.prediction import Kind, Rollout, is_ever_heard, is_number_of_group
from rollouts.ray_cluster import gpus_of_workers, group_names
from rollouts.room import (
    NodeQuota,
    PoolRoom,
    Room,
    noted_quota,
    shortages,
    shortages_of_head,
)
from rollouts.sentence import listed
from rollouts.serve_models import gpus_of_replica, serve_config
from rollouts.tree import SECRET_MARK

NODE_QUOTA_ANNOTATION: Final = "ray-llm/node-quota"
"""The annotation of a RayService that says, as JSON, what a node of each GPU pool takes of quotas.

A pool that a change takes out is in no plan any more, and its nodes stay until the end."""

OPERATOR_ANNOTATION: Final = "ray-llm/kuberay"
"""The annotation of a RayService that names the operator for which it was written."""

ROOM_RULE: Final = "model-without-room"
"""The rule of an edited model whose requests would be held, if the stack says not to."""

_PATHS: Final = 8
_CAUSES: Final = 3
_ID_DIGITS: Final = 8
# More nodes than a pool would ever lack for one more replica of each of its models.
_MORE_NODES: Final = 64
_SETTING: Final = "ray-llm:rollout"
_HEADS_POOL: Final = "spec.rayClusterConfig.headGroupSpec.template.spec.nodeSelector"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a stack says about changes.

    removes_pools: whether the same program creates and deletes the node pools.
    allow: the ids of the changes that pass.
    """

    without_room: WithoutRoom = WithoutRoom.HOLD
    strategy: RolloutStrategy = RolloutStrategy.NEW_CLUSTER
    removes_pools: bool = True
    allow: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a RayService from `old` to `new`, whole objects as this program writes them.

    rollout: what it does; room: what there is for second versions and a second cluster.
    """

    old: Mapping[str, Any]
    new: Mapping[str, Any]
    rollout: Rollout
    room: Room


def change_problems(change: Change, policy: Policy) -> tuple[Problem, ...]:
    """What stops a change; warnings if the stack allows this one."""
    rollout = change.rollout.if_known or change.rollout
    found = tuple(_problems(replace(change, rollout=rollout), policy))
    return judged(found, [part.get("spec") for part in (change.old, change.new)], policy.allow)


def judged(
    problems: Sequence[Problem], content: Sequence[Any], allow: Collection[str]
) -> tuple[Problem, ...]:
    """Problems of one change with its id; warnings if that is the one that is allowed.

    content: what changes, before and after, as plain values.
    """
    if not problems:
        return ()
    own = change_id(problems, content)
    if own in allow:
        passes = f"{_SETTING}.allow lets it pass"
        return tuple(problem.with_remedy(passes, Severity.WARN) for problem in problems)
    way = f"To let this one change pass, write {_SETTING}: {{allow: {own}}}"
    if allow:
        others = listed(sorted(allow), _PATHS)
        way += f"; {others}, which {'it allows' if len(allow) == 1 else 'are allowed'}, " + (
            "is another change" if len(allow) == 1 else "are other changes"
        )
    return tuple(
        problem.with_remedy(f"{problem.remedy}. {way}", problem.severity) for problem in problems
    )


def change_id(problems: Sequence[Problem], content: Sequence[Any]) -> str:
    """The id of a change: a hash of why it stops and of what changes, without secrets."""
    why = [[problem.rule, problem.path, str(problem.value)] for problem in problems]
    text = json.dumps([sorted(why), *map(_plain, content)], sort_keys=True)
    return f"c{hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]}"


def _plain(value: Any) -> Any:
    """The value in the forms of JSON; the same for what the engine hands over at any time."""
    if isinstance(value, Mapping):
        if SECRET_MARK in value:
            return "[secret]"
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # Pulumi's numbers are all of one kind
    return value if isinstance(value, str | int | float | None) else type(value).__name__


def _problems(change: Change, policy: Policy) -> Iterator[Problem]:
    rollout = change.rollout
    if rollout.kind in {Kind.REPLACED, Kind.REFUSED}:
        return
    yield from _in_place_only(rollout, policy)
    if rollout.kind is Kind.UNKNOWN:
        return
    room = change.room.with_pools_that_go(_node_quota(change.old))
    if any(path.startswith(_HEADS_POOL) for path in rollout.causes):
        # The old head stays in the pool that goes at the end of the `up`.
        room = replace(room, head=None)
    if rollout.causes and policy.strategy is not RolloutStrategy.RECREATE:
        yield from shortages(_kept_nodes(change), room)
        if policy.removes_pools:
            yield from _pool_in_use(change)
    elif rollout.causes:
        yield from shortages_of_head(_kept_nodes(change), room)
    yield from _operator_too(change)
    yield from _ignored(rollout)
    yield from _without_room(change, policy)


def _kept_nodes(change: Change) -> Mapping[str, int]:
    """The nodes by pool that the first cluster keeps: what its models' minima need.

    A group starts empty where models of several degrees of parallelism share a pool. By the time of
    a change Ray's autoscaler has given it the workers that they need.
    """
    kept = dict(change.rollout.running)
    replicas: dict[str, list[int]] = {}
    for item in serve_config(change.old["spec"]["serveConfigV2"])["applications"]:
        pool, gpus = gpus_of_replica(item)
        replicas.setdefault(pool, []).extend([gpus] * running_at_least(item))
    of_worker = gpus_of_workers(change.old["spec"]["rayClusterConfig"])
    for pool in kept:
        if replicas.get(pool) and of_worker.get(pool):
            kept[pool] = max(kept[pool], nodes_for(replicas[pool], of_worker[pool]))
    return kept


def _node_quota(ray_service: Mapping[str, Any]) -> NodeQuota:
    """What the nodes of the pools of a RayService take; empty if it does not say."""
    text = _annotation(ray_service, NODE_QUOTA_ANNOTATION)
    try:
        return noted_quota(json.loads(text)) if text else {}
    except (ValueError, RecursionError):
        return {}


def _in_place_only(rollout: Rollout, policy: Policy) -> Iterator[Problem]:
    if policy.strategy is not RolloutStrategy.IN_PLACE_ONLY:
        return
    if rollout.causes:
        yield refused_in_place(
            f"KubeRay starts a second Ray cluster for {listed(rollout.causes, _PATHS)}"
        )
    elif rollout.kind is Kind.UNKNOWN:
        yield refused_in_place(
            "nobody can say beforehand whether KubeRay starts a second Ray cluster for it: "
            f"{'; '.join(rollout.unknown)}"
        )


def refused_in_place(why: str) -> Problem:
    """What `strategy: inPlaceOnly` stops; why: the clause after `because`."""
    return Problem(
        path=f"{_SETTING}.strategy",
        value=str(RolloutStrategy.IN_PLACE_ONLY),
        reason=f"refuses this change, because {why}",
        remedy="Take that back, or write strategy: newCluster, which takes the GPUs twice "
        "meanwhile",
        rule="second-cluster-refused",
    )


def _pool_in_use(change: Change) -> Iterator[Problem]:
    """Pools that go while the old cluster still answers requests on them.

    Pulumi deletes what is left out at the end of an `up`. By then the second cluster answers, and
    KubeRay keeps the first one for a minute more.
    """
    before, after = (_groups(item) for item in (change.old, change.new))
    gone = [pool for pool in before if pool not in after]
    if not gone:
        return
    old, new = (
        {model_of(item): item for item in serve_config(text)["applications"]}
        for text in (change.old["spec"]["serveConfigV2"], change.new["spec"]["serveConfigV2"])
    )
    for pool in gone:
        # A model that goes with its pool has an end of its own.
        models = [name for name, item in old.items() if pool_of(item) == pool and name in new]
        if models:
            to = {name: pool_of(new[name]) for name in models}
            moves = " and ".join(f"gpu: {to[name]} to {name}" for name in models[:_PATHS])
            yield Problem(
                path="ray-llm:gpuPools",
                reason=f"no longer lists {pool}, and {listed(models, _PATHS)} still "
                f"{'runs' if len(models) == 1 else 'run'} there: the node pool is deleted at the "
                "end of the same `up`, with requests that the old Ray cluster has not ended",
                remedy=f"Make two of it: list {pool} again and give {moves} in one `up`, and take "
                f"{pool} out in the next",
                rule="pool-in-use",
            )


def _operator_too(change: Change) -> Iterator[Problem]:
    """A new operator and another Ray cluster in one `up`.

    A new operator rewrites the running Ray cluster before it compares anything
    (shouldUpdateCluster in ray-operator/controllers/ray/rayservice_controller.go). What it finds in
    the RayService by then counts as what runs, and no pod restarts for it.
    """
    old, new = (_operator(item) for item in (change.old, change.new))
    if not change.rollout.causes or not old or not new or old == new:
        return
    yield Problem(
        path="ray-llm:versions.kuberay",
        value=new,
        reason=f"replaces KubeRay {old} in the same `up` in which "
        f"{listed(change.rollout.causes, _CAUSES)} of the Ray cluster "
        f"{'changes' if len(change.rollout.causes) == 1 else 'change'}: a new operator first "
        "rewrites the running cluster, and what it takes up then reaches no pod",
        remedy="Make two of it: the new KubeRay in one `up`, and the rest in the next",
        rule="operator-and-cluster",
    )


def _operator(ray_service: Mapping[str, Any]) -> str | None:
    return _annotation(ray_service, OPERATOR_ANNOTATION)


def _annotation(ray_service: Mapping[str, Any], key: str) -> str | None:
    annotations = (ray_service.get("metadata") or {}).get("annotations")
    found = annotations.get(key) if isinstance(annotations, Mapping) else None
    return found if isinstance(found, str) else None


def _groups(ray_service: Mapping[str, Any]) -> list[str]:
    return group_names(ray_service["spec"]["rayClusterConfig"])


def _ignored(rollout: Rollout) -> Iterator[Problem]:
    paths = [path for path in rollout.ignored if not is_number_of_group(path)]
    if not paths:
        return
    later = all(is_ever_heard(path) for path in paths)
    yield Problem(
        path=listed(paths, _PATHS),
        reason=f"{'changes' if len(paths) == 1 else 'change'}, and KubeRay ignores it: nothing "
        "that runs hears of it, and nothing says so",
        remedy="Take it back, or make it together with a change that starts another Ray cluster "
        "anyway, such as another image or Ray release"
        if later
        else "Take it back, because no later change brings it either",
        rule="change-ignored",
    )


def _without_room(change: Change, policy: Policy) -> Iterator[Problem]:
    held = change.rollout.held
    if policy.without_room is WithoutRoom.HOLD or not held or change.rollout.causes:
        return
    old, new = (serve_config(item["spec"]["serveConfigV2"]) for item in (change.old, change.new))
    pools = {model_of(item): pool_of(item) for item in new["applications"]}
    gpus = dict(change.room.pool_gpus)
    by_pools = held_models(old, new, gpus)
    for pool in change.room.pools:
        models = [name for name in by_pools if pools[name] == pool.id]
        if not models:
            continue
        enough = _enough(old, new, gpus, pool)
        if enough:
            gpus[pool.id] = enough * pool.gpus
        use = f"Use {enough}" if enough else ""
        yield _no_room(f"{pool.path}.maxNodes", pool.max_nodes, models, use, policy)
    # Of whoever raises what is said above.
    for quota in change.room.gpu_quotas:
        if models := list(held_models(old, new, gpus, quotas=[quota])):
            limit = _enough_quota(old, new, gpus, quota)
            use = f"Ask Google for {limit} of {quota_in_words(quota.metric)}" if limit else ""
            path = f"ray-llm:quotas.{quota.metric}"
            yield _no_room(path, quota.limit, models, use, policy)


def _no_room(path: str, value: int, models: Sequence[str], use: str, policy: Policy) -> Problem:
    """use: a way out, as the beginning of a sentence; empty if there is none."""
    without_end = (
        ", so that it would wait for a GPU without an end"
        if policy.without_room is WithoutRoom.WAIT
        else ""
    )
    return Problem(
        path=path,
        value=value,
        reason=f"leaves no room for a second version of {listed(models, _PATHS)}{without_end} "
        f"({_SETTING}.withoutRoom: {policy.without_room})",
        remedy=f"{f'{use}, or write' if use else 'Write'} withoutRoom: hold, which holds requests "
        "while the new version loads",
        rule=ROOM_RULE,
    )


def _enough(
    old: ServeConfig, new: ServeConfig, pool_gpus: Mapping[str, int], pool: PoolRoom
) -> int | None:
    """The fewest nodes of a pool with which none of its models is held; None if that are many."""
    pools = {model_of(item): pool_of(item) for item in new["applications"]}
    for nodes in range(pool.max_nodes + 1, pool.max_nodes + 1 + _MORE_NODES):
        held = held_models(old, new, {**pool_gpus, pool.id: nodes * pool.gpus})
        if not any(pools[name] == pool.id for name in held):
            return nodes
    return None


def _enough_quota(
    old: ServeConfig, new: ServeConfig, pool_gpus: Mapping[str, int], quota: GpuQuota
) -> int | None:
    """The lowest limit of a quota with which no model is held; None if that is far above it."""
    limits = range(quota.limit + 1, quota.limit + 1 + _MORE_NODES * max(quota.of_node.values()))

    def suffices(limit: int) -> bool:
        return not held_models(old, new, pool_gpus, quotas=[replace(quota, limit=limit)])

    place = bisect_left(limits, True, key=suffices)
    return limits[place] if place < len(limits) else None
