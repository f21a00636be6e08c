"""The kind of rollout of random edits, against what KubeRay compares and what is predicted."""

import copy
import json
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from manifests.ray_service import ray_cluster_config
from models.catalog import gpu_tiers, ray_releases
from models.problems import StackError
from planning import Plan
from reports.difference import Difference, difference
from reports.plan_data import plan_summary
from reports.rollout import Rollout
from rollouts import Effect, Kind, predict
from tests.manifests.kuberay_hash import hashed
from tests.manifests.written import ray_service
from tests.planning.stacks import ZONES, Values, planned, stacks

thorough = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
STARTS_A_SECOND_CLUSTER = {Rollout.SECOND_CLUSTER, Rollout.POOL_REPLACED_AND_SECOND_CLUSTER}

EDITS = (
    "insert",
    "remove",
    "reverse",
    "machine",
    "tier",
    "spot",
    "sizes",
    "zones",
    "cpus",
    "versions",
    "image",
    "models",
    "model",
    "replicas",
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[Values, Values]:
    """A stack before and after one or two edits of what its Ray cluster is made from."""
    old = draw(stacks(max_models=2))
    new: dict[str, Any] = copy.deepcopy(dict(old))
    for _ in range(draw(st.integers(1, 2))):
        _edit(draw, new)
    return old, new


def _edit(draw: st.DrawFn, values: dict[str, Any]) -> None:
    pools, cluster = values["ray-llm:gpuPools"], values["ray-llm:cluster"]
    index = draw(st.integers(0, len(pools) - 1))
    pool = pools[index]
    tier = gpu_tiers()[pool["tier"]]
    another = {"tier": draw(st.sampled_from(list(gpu_tiers()))), "name": "another", "maxNodes": 9}
    kept = {"name": pool.get("name", "kept")}
    edit = draw(st.sampled_from(EDITS))
    event(edit)
    if edit == "insert":
        pools.insert(draw(st.integers(0, len(pools))), another)
    elif edit == "remove" and len(pools) > 1:
        del pools[index]
    elif edit == "reverse":
        pools.reverse()
    elif edit == "machine":
        pool["machineType"] = draw(st.sampled_from(tier.machine_types))
    elif edit == "tier":
        pools[index] = {**another, **kept}
    elif edit == "spot":
        pools[index] = {**pool, **kept, "spot": not pool.get("spot", False)}
    elif edit == "sizes":
        pool |= {"maxNodes": 900, "minNodes": draw(st.integers(0, 3)), "bootDiskGb": 5000}
    elif edit == "zones":
        cluster["zones"] = draw(st.lists(st.sampled_from(ZONES), min_size=1, unique=True))
    elif edit == "cpus":
        cluster["cpuPool"] = draw(
            st.fixed_dictionaries(
                {"maxNodes": st.integers(900, 1000)},
                optional={
                    "name": st.just("cpus"),
                    "machineType": st.sampled_from(["e2-standard-4", "e2-standard-16"]),
                },
            )
        )
    elif edit == "versions":
        values["ray-llm:versions"] = {"ray": draw(st.sampled_from(list(ray_releases())))}
    elif edit == "image":
        values["ray-llm:versions"] = {"image": "acme/llm/serving:1"}
    elif edit == "models":
        values["ray-llm:models"] = values["ray-llm:models"][:1]
    elif edit == "model":
        values["ray-llm:models"][0]["contextLength"] = draw(st.sampled_from([1024, 1536]))
    elif edit == "replicas":
        values["ray-llm:models"][0]["replicas"] = {"min": draw(st.integers(0, 1)), "max": 3}


@st.composite
def summaries(draw: st.DrawFn) -> tuple[tuple[Plan, Plan], Difference]:
    """The plans before and after an edit that may be made, and their difference."""
    try:
        old, new = (planned(values) for values in draw(edits()))
    except StackError:
        assume(False)
    return (old, new), difference(
        *(json.loads(json.dumps(plan_summary(plan))) for plan in (old, new))
    )


def compared(plan: Plan, groups: int) -> Any:
    """What KubeRay compares; groups beyond the first `groups` are appended in place."""
    spec = hashed(ray_cluster_config(plan))
    spec["workerGroupSpecs"] = spec["workerGroupSpecs"][:groups]
    return spec


@thorough
@given(summaries())
def test_a_second_cluster_is_reported_exactly_if_kuberay_makes_one(
    edit: tuple[tuple[Plan, Plan], Difference],
) -> None:
    (old, new), found = edit
    kinds = {rollout for rollout, _ in found.rollouts}
    groups = 1 + len(old.pools)
    makes_one = compared(old, groups) != compared(new, groups)
    event("a second cluster" if makes_one else "in place")
    assert bool(kinds & STARTS_A_SECOND_CLUSTER) == makes_one


@thorough
@given(summaries())
def test_the_table_and_the_prediction_say_the_same(
    edit: tuple[tuple[Plan, Plan], Difference],
) -> None:
    (old, new), found = edit
    kinds = {rollout for rollout, _ in found.rollouts}
    predicted = predict(ray_service(old), ray_service(new), new.release.kuberay.version)
    event(predicted.kind.name)
    assert predicted.kind is not Kind.UNKNOWN
    assert bool(kinds & STARTS_A_SECOND_CLUSTER) == (predicted.kind is Kind.SECOND_CLUSTER)
    for effect, models in (
        (Effect.ADDED, found.models_added),
        (Effect.REMOVED, found.models_removed),
    ):
        names = {model["name"] for model in models}
        assert {model.name for model in predicted.with_effect(effect)} == names
    if predicted.kind is not Kind.SECOND_CLUSTER:
        restarted = {
            changed.name
            for changed in found.models_changed
            if any(change.rollout is Rollout.REPLICAS for change in changed.changes)
        }
        assert {model.name for model in predicted.with_effect(Effect.EDITED)} == restarted
