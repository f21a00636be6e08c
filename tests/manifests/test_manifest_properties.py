"""Properties of the manifests of every stack, tested with random deployable stacks."""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

import yaml
from hypothesis import HealthCheck, assume, given, settings

from manifests.ray_service import ray_cluster_config
from models.catalog import ray_service_name_limit
from models.problems import StackError
from planning import Plan
from tests.manifests.kuberay_hash import hashed
from tests.manifests.written import (
    config_maps,
    ray_service,
    serve_config,
    serve_config_text,
    served_llm_configs,
)
from tests.planning.stacks import Values, planned, stacks

thorough = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
CONFIG_MAP_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def _advertised(plan: Plan) -> Mapping[str, Mapping[str, float]]:
    """The resources that a node of each worker group offers to Ray, with CPUs and GPUs."""
    groups = {}
    for group in ray_cluster_config(plan)["workerGroupSpecs"]:
        parameters = group["rayStartParams"]
        custom = json.loads(parameters["resources"].strip("'"))
        cpu = group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]
        groups[group["groupName"]] = {
            "CPU": float(parameters.get("num-cpus", cpu)),
            "GPU": float(parameters.get("num-gpus", 0)),
            **{name: float(amount) for name, amount in custom.items()},
        }
    return groups


@thorough
@given(stacks())
def test_what_a_replica_asks_for_exists_on_the_group_that_it_is_pinned_to(values: Values) -> None:
    plan = planned(values)
    groups = _advertised(plan)
    for application in serve_config(plan)["applications"]:
        (config,) = application["args"]["llm_configs"]
        asked = config["deployment_config"]["ray_actor_options"]
        engine = config["engine_kwargs"]
        gpus = engine["tensor_parallel_size"] * engine.get("pipeline_parallel_size", 1)
        holders = [
            offer
            for offer in groups.values()
            if offer["GPU"] >= gpus
            and offer["CPU"] >= asked["num_cpus"]
            and all(offer.get(name, 0) >= amount for name, amount in asked["resources"].items())
        ]
        assert len(holders) == 1, "no group, or more than one, can hold the replica"
        router, override = application["deployments"]
        # The replica's own options stay those of `args`.
        assert "ray_actor_options" not in override
        (pin,) = router["ray_actor_options"]["resources"]
        assert [name for name, offer in groups.items() if pin in offer] == [plan.router_group.id]


@thorough
@given(stacks())
def test_the_texts_read_back_to_the_same_objects(values: Values) -> None:
    plan = planned(values)
    config = serve_config(plan)
    assert yaml.safe_load(serve_config_text(plan)) == config
    shown = {
        key.removesuffix(".yaml"): yaml.safe_load(text)
        for config_map in config_maps(plan)
        for key, text in config_map["data"].items()
    }
    assert shown == served_llm_configs(plan)


@thorough
@given(stacks())
def test_names_are_within_what_kubernetes_and_kuberay_allow(values: Values) -> None:
    plan = planned(values)
    assert len(ray_service(plan)["metadata"]["name"]) <= ray_service_name_limit()
    maps = config_maps(plan)
    names = [config_map["metadata"]["name"] for config_map in maps]
    assert len(names) == len(set(names))
    assert all(OBJECT_NAME.fullmatch(name) for name in names)
    assert all(CONFIG_MAP_KEY.fullmatch(key) for each in maps for key in each["data"])
    routes = [app["route_prefix"] for app in serve_config(plan)["applications"]]
    assert len(routes) == len(set(routes))


@thorough
@given(stacks())
def test_no_edit_of_the_models_reaches_what_kuberay_compares_of_the_cluster(
    values: Values,
) -> None:
    plan = planned(values)
    edited: dict[str, Any] = copy.deepcopy(dict(values))
    edited["ray-llm:models"] = edited["ray-llm:models"][:1]
    try:
        fewer = planned(edited)
    except StackError:
        assume(False)
    assert hashed(ray_cluster_config(fewer)) == hashed(ray_cluster_config(plan))


@thorough
@given(stacks())
def test_the_workers_of_a_new_cluster_hold_all_models_at_their_minima(values: Values) -> None:
    plan = planned(values)
    started = {
        group["groupName"]: group["replicas"]
        for group in ray_cluster_config(plan)["workerGroupSpecs"]
    }
    routers = plan.router_group
    assert started[routers.id] * routers.slots_per_pod >= sum(m.routers.min for m in plan.models)
    for pool in plan.pools:
        models = [model for model in plan.models if model.pool == pool.id]
        if len({model.gpus_per_replica for model in models}) > 1:
            assert started[pool.id] == 0  # Serve would spread replicas over more nodes than planned
            continue
        gpus = sum(model.gpus_per_replica * model.replicas.min for model in models)
        assert started[pool.id] * pool.pod.gpus >= gpus
        # No worker without a replica, which minNodes alone would give, and none without a node.
        assert started[pool.id] <= sum(model.replicas.min for model in models)
        assert started[pool.id] <= pool.max_nodes


@thorough
@given(stacks())
def test_containers_are_guaranteed_what_they_ask_for(values: Values) -> None:
    cluster = ray_cluster_config(planned(values))
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        resources = group["template"]["spec"]["containers"][0]["resources"]
        assert resources["requests"] == resources["limits"]
