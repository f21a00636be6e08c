"""Properties of every plan, tested with random deployable stacks."""

import copy
import itertools
import re
from random import Random

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from models.catalog import llms, machine_types, ray_service_name_limit, zones_with
from models.names import GKE_NAME_LIMIT, SERVED_NAME_LIMIT
from models.problems import Problem, StackError
from planning import ModelPlan, Plan, PoolPlan
from planning.infrastructure.allocatable import DAEMONSET_CPU, DAEMONSET_MEMORY_GIB, allocatable
from tests.planning.stacks import REGION, Values, planned, pools, stack, stacks

thorough = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
SERVED = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


def on_pool(plan: Plan, pool: PoolPlan) -> list[ModelPlan]:
    return [model for model in plan.models if model.pool == pool.id]


@thorough
@given(stacks())
def test_every_pod_fits_its_node_beside_the_daemonsets(values: Values) -> None:
    plan = planned(values)
    for pool in plan.pools:
        room = allocatable(machine_types()[pool.machine_type])
        assert pool.pod.cpu <= room.cpu - DAEMONSET_CPU
        assert pool.pod.memory_gib <= room.memory_gib - DAEMONSET_MEMORY_GIB
        assert pool.pod.cpu >= 1
        assert pool.pod.memory_gib >= 8
    room = allocatable(machine_types()[plan.cluster.cpu_pool.machine_type])
    for pod in (plan.head, plan.router_group.pod):
        assert pod.cpu <= room.cpu - DAEMONSET_CPU
        assert pod.memory_gib <= room.memory_gib - DAEMONSET_MEMORY_GIB


@thorough
@given(stacks())
def test_what_replicas_ask_for_exists_on_their_group(values: Values) -> None:
    plan = planned(values)
    ids = [pool.id for pool in plan.pools]
    assert len(set(ids)) == len(ids)
    for model in plan.models:
        pool = plan.pool(model.pool)
        assert 1 <= model.gpus_per_replica <= pool.pod.gpus == pool.tier.gpu_count
        assert pool.max_workers >= pool.nodes_at_max
        assert plan.router_group.max_workers * plan.router_group.slots_per_pod >= model.routers.max


@thorough
@given(stacks())
def test_pools_stand_where_the_cloud_has_their_gpu(values: Values) -> None:
    for pool in planned(values).pools:
        assert pool.zones
        assert set(pool.zones) <= set(zones_with(pool.tier.accelerator_type, REGION) or ())
        assert pool.machine_type in pool.tier.machine_types
        assert ("spot" if pool.spot else "on-demand") in pool.tier.provisioning


@thorough
@given(stacks())
def test_names_are_within_their_limits(values: Values) -> None:
    plan = planned(values)
    assert len(plan.service.name) <= ray_service_name_limit()
    for pool in plan.pools:
        assert DNS_1035.fullmatch(pool.id)
        assert len(pool.id) <= GKE_NAME_LIMIT
    names = [model.name for model in plan.models]
    assert len(set(names)) == len(names)
    for name in (*names, *plan.families):
        assert SERVED.fullmatch(name)
        assert len(name) <= SERVED_NAME_LIMIT


@thorough
@given(stacks())
def test_every_model_fits_where_it_was_placed(values: Values) -> None:
    for model in planned(values).models:
        assert model.fit is not None
        assert model.fit.may_fit
        assert model.max_model_len >= 1
        limit = next(row for row in llms().values() if row.source == model.source)
        assert model.max_model_len <= limit.architecture.longest_context


@thorough
@given(stacks())
def test_the_nodes_hold_the_replicas(values: Values) -> None:
    plan = planned(values)
    for pool in plan.pools:
        models = on_pool(plan, pool)
        for nodes, count in (
            (pool.nodes_at_min, lambda model: model.replicas.min),
            (pool.nodes_at_max, lambda model: model.replicas.max),
        ):
            gpus = sorted(
                itertools.chain.from_iterable(
                    [model.gpus_per_replica] * count(model) for model in models
                ),
                reverse=True,
            )
            free = [pool.tier.gpu_count] * nodes
            for needed in gpus:
                node = next(index for index, left in enumerate(free) if left >= needed)
                free[node] -= needed
            assert all(left < pool.tier.gpu_count for left in free)  # and none is idle
        assert pool.nodes_at_min <= pool.nodes_at_max


@thorough
@given(stacks())
def test_autoscaling_can_reach_its_target(values: Values) -> None:
    plan = planned(values)
    warned = {problem.path for problem in plan.warnings if problem.rule == "target-above-batch"}
    for model in plan.models:
        replicas = model.replicas
        assert 0 <= replicas.min <= replicas.max
        assert replicas.max >= 1
        assert replicas.target_ongoing_requests >= 1
        # Only a target that the entry states may be out of reach, and that is said.
        out_of_reach = replicas.target_ongoing_requests > model.max_num_seqs
        assert out_of_reach == (f"{model.path}.targetOngoingRequests" in warned)
        assert replicas.target_ongoing_requests < replicas.max_ongoing_requests
        assert (model.routers.min == 0) == (replicas.min == 0)
        assert model.routers.max >= 1


@thorough
@given(stacks())
def test_engines_get_numbers_that_they_accept(values: Values) -> None:
    plan = planned(values)
    for model in plan.models:
        capability = plan.pool(model.pool).tier.compute_capability
        has_v0 = plan.release.ray.supports_v0_engine
        assert model.v0_engine == (has_v0 and capability < (8, 0))
        assert model.dtype in ("float16", "bfloat16")
        if capability < (8, 0):
            assert model.dtype == "float16"
        assert model.max_num_batched_tokens >= model.max_num_seqs
        if model.v0_engine and model.max_model_len <= 32768:
            assert model.max_num_batched_tokens >= model.max_model_len
        assert 0 < model.gpu_memory_utilization <= 1


@thorough
@given(stacks())
def test_spot_is_only_for_models_that_name_it_or_have_nothing_else(values: Values) -> None:
    plan = planned(values)
    spot_only = all(pool.spot for pool in plan.pools)
    entries = enumerate(values["ray-llm:models"])
    named = {f"ray-llm:models[{index}]": entry.get("gpu") for index, entry in entries}
    for model in plan.models:
        pool = plan.pool(model.pool)
        assert not pool.spot or spot_only or named[model.path] == pool.id


@thorough
@given(stacks())
def test_the_plan_is_deterministic(values: Values) -> None:
    assert planned(values) == planned(copy.deepcopy(values))


def by_name(plan: Plan) -> dict[str, ModelPlan]:
    return {model.name: model for model in plan.models}


def decided(model: ModelPlan) -> dict[str, object]:
    """All decisions about a model, without its path in the file."""
    return {key: value for key, value in vars(model).items() if key != "path"}


@thorough
@given(stacks(), st.randoms(use_true_random=False))
def test_the_order_of_models_changes_no_decision(values: Values, random: Random) -> None:
    entries = list(values["ray-llm:models"])
    random.shuffle(entries)
    before, after = planned(values), planned({**values, "ray-llm:models": entries})
    assert {name: decided(model) for name, model in by_name(before).items()} == {
        name: decided(model) for name, model in by_name(after).items()
    }
    assert before.pools == after.pools


@thorough
@given(stacks())
def test_adding_a_model_changes_no_other_that_names_its_pool(values: Values) -> None:
    """Models without a pool may move: they are placed together, so that nodes cost least."""
    entries = values["ray-llm:models"]
    after = by_name(planned(values))
    if len(entries) == 1:
        return
    for name, model in by_name(planned({**values, "ray-llm:models": entries[:-1]})).items():
        if "pool" not in model.derived:
            assert after[name] == model


@thorough
@given(stacks(), st.data())
def test_appending_a_pool_changes_no_pool_before_it(values: Values, data: st.DataObject) -> None:
    listed = values["ray-llm:gpuPools"]
    # A model that names no pool runs on spot nodes only as long as nothing else is listed.
    assume(not all(entry.get("spot") for entry in listed))
    zones = tuple(values["ray-llm:cluster"]["zones"])
    more = data.draw(pools(zones))
    taken = {entry["tier"] for entry in listed}
    added = [{**entry, "name": f"more-{i}"} for i, entry in enumerate(more)]
    added = [entry for entry in added if entry["tier"] not in taken]
    before = planned(values)
    after = planned({**values, "ray-llm:gpuPools": [*listed, *added]})

    def infrastructure(pool: PoolPlan) -> dict[str, object]:
        needs = ("nodes_at_min", "nodes_at_max")
        return {key: value for key, value in vars(pool).items() if key not in needs}

    assert [infrastructure(pool) for pool in after.pools[: len(before.pools)]] == [
        infrastructure(pool) for pool in before.pools
    ]
    for model in before.models:  # a model that names its pool does not change
        if "pool" not in model.derived:
            assert by_name(after)[model.name] == model


def memory_refusal(values: Values) -> Problem | None:
    """The memory problem of values that cannot be deployed for no other reason."""
    try:
        planned(values)
    except StackError as error:
        if len(error.problems) == 1 and error.problems[0].rule == "memory-fit":
            return error.problems[0]
    return None


@settings(thorough, max_examples=200)
@given(st.data(), st.sampled_from(["t4", "l4", "l4-x2", "a100-80gb-x2"]))
def test_a_shorter_context_that_a_message_offers_fits(data: st.DataObject, tier: str) -> None:
    entry = {
        "model": data.draw(st.sampled_from(list(llms()))),
        "gpu": tier,
        "contextLength": data.draw(st.integers(4096, 131_072)),
        "profile": data.draw(st.sampled_from(["throughput", "latency", "memory"])),
    }
    listed = [{"tier": tier, "maxNodes": 1000}]
    refusal = memory_refusal(stack([entry], listed, token=True))
    offered = re.search(r"Use at most (\d+)", refusal.remedy) if refusal else None
    event("refused" if refusal else "fits or other problem")
    if offered:
        event("a context was offered")
        shorter = {**entry, "contextLength": int(offered[1])}
        assert planned(stack([shorter], listed, token=True)).models
