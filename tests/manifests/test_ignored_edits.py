"""Edits that a live cluster would take without a word and not apply are never written.

Each of these was seen on a real KubeRay 1.6.2 or Ray Serve 2.49.1.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from manifests import ServiceManifests, service_manifests
from manifests.ray_service import ray_cluster_config
from manifests.worker_group import gpu_worker_group
from models.catalog import gpu_tiers, machine_types, ray_releases
from planning import Plan
from planning.infrastructure.allocatable import ray_pod
from tests.manifests.kuberay_hash import hashed
from tests.manifests.plans import model, plan, pool
from tests.manifests.written import serve_config, serve_config_text
from tests.planning.stacks import Values, planned, stack, stacks

thorough = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings and lists by their paths."""
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield path, value
        return
    for key, item in items:
        yield from leaves(item, f"{path}.{key}" if path else str(key))


# Serve


@thorough
@given(stacks())
def test_an_option_of_a_deployment_is_never_left_out_because_serve_would_keep_its_old_value(
    values: Values,
) -> None:
    """Before Ray 2.60, an option that is taken out of a `deployments` entry stays in force."""
    of_model = {
        "name",
        "autoscaling_config.min_replicas",
        "autoscaling_config.max_replicas",
        "autoscaling_config.target_ongoing_requests",
        "autoscaling_config.upscale_delay_s",
        "autoscaling_config.downscale_delay_s",
        "autoscaling_config.look_back_period_s",
        "autoscaling_config.metrics_interval_s",
        "max_ongoing_requests",
        "graceful_shutdown_timeout_s",
    }
    actor = {"ray_actor_options.num_cpus", "ray_actor_options.resources.routers"}
    made = planned(values)
    for application in serve_config(made)["applications"]:
        ingress, override = application["deployments"]
        assert dict(leaves(ingress)).keys() == of_model | actor
        assert ingress["name"] == made.release.ray.ingress_class
        assert dict(leaves(override)).keys() == of_model
        model_id = application["args"]["llm_configs"][0]["model_loading_config"]["model_id"]
        assert override["name"] == f"LLMServer:{model_id.replace('.', '_')}"


@pytest.mark.parametrize("ray", sorted(ray_releases()))
def test_every_release_gets_the_same_options_of_a_deployment(ray: str) -> None:
    written = [
        dict(leaves(serve_config(plan((model(),), ray=release))["applications"][0]["deployments"]))
        for release in ("2.49.1", ray)
    ]
    assert written[0].keys() == written[1].keys()


@thorough
@given(stacks())
def test_numbers_of_replicas_are_those_that_serve_accepts(values: Values) -> None:
    """Serve accepts the config and then fails the deployment, without a reason for an LLM."""
    for application in serve_config(planned(values))["applications"]:
        for deployment in application["deployments"]:
            scaling = deployment["autoscaling_config"]
            assert all(type(number) in (int, float) for number in scaling.values())
            assert 0 <= scaling["min_replicas"] <= scaling["max_replicas"]
            assert scaling["max_replicas"] >= 1
            assert scaling["target_ongoing_requests"] > 0
            assert scaling["upscale_delay_s"] >= 0
            assert scaling["downscale_delay_s"] >= 0
            # Serve says that it will refuse the contrary.
            assert scaling["look_back_period_s"] > scaling["metrics_interval_s"] > 0
            assert deployment["max_ongoing_requests"] >= 1


HTTP_EDITS: dict[str, Callable[[Plan], Plan]] = {
    "port": lambda made: replace(made, service=replace(made.service, port=9000)),
    "timeout": lambda made: replace(
        made, service=replace(made.service, request_timeout_seconds=60)
    ),
}


@pytest.mark.parametrize("edit", HTTP_EDITS.values(), ids=HTTP_EDITS.keys())
def test_http_options_change_only_with_the_ray_cluster_because_a_running_serve_keeps_its_own(
    edit: Callable[[Plan], Plan],
) -> None:
    made = plan()
    edited = edit(made)
    assert serve_config(edited)["http_options"] != serve_config(made)["http_options"]
    assert hashed(ray_cluster_config(edited)) != hashed(ray_cluster_config(made))


@thorough
@given(stacks())
def test_no_stack_file_changes_the_http_options(values: Values) -> None:
    written, usual = serve_config(planned(values)), serve_config(plan())
    for key in ("http_options", "proxy_location"):
        assert written[key] == usual[key]
    assert written.keys() == usual.keys()


# Names in the serve config


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which other readers take the last one."""


def _mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = loader.construct_pairs(node, deep=True)
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice in {keys}"
    return dict(pairs)


StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def test_the_strict_loader_sees_a_key_that_stands_twice() -> None:
    with pytest.raises(AssertionError, match="twice"):
        yaml.load("a: {b: 1, b: 2}", StrictLoader)


@thorough
@given(stacks())
def test_no_key_stands_twice_because_the_last_one_would_win(values: Values) -> None:
    written = service_manifests(planned(values))
    texts = [written.ray_service["spec"]["serveConfigV2"]]
    texts += [text for item in written.config_maps for text in item["data"].values()]
    for text in texts:
        yaml.load(text, StrictLoader)


@thorough
@given(stacks())
def test_names_and_routes_have_only_characters_that_every_part_of_serve_reads_alike(
    values: Values,
) -> None:
    """A slash in a name fails in the build task; other names end the proxy's route table."""
    for application in serve_config(planned(values))["applications"]:
        name = application["name"]
        assert isinstance(name, str)
        assert name.replace("-", "").replace(".", "").isalnum()
        assert name.isascii()
        assert name == name.lower()
        assert name[0].isalnum()
        assert name[-1].isalnum()
        [llm] = application["args"]["llm_configs"]
        model_id = llm["model_loading_config"]["model_id"]
        assert application["route_prefix"] == f"/{model_id}"
        assert re.fullmatch(re.escape(model_id) + "-[0-9a-f]{8}", name)


@pytest.mark.parametrize("name", ["7", "true", "null", "no", "1e3", "0x1f", "1.5", "2025-01-01"])
def test_a_name_that_looks_like_another_type_stays_a_text(name: str) -> None:
    """Ray refuses `model_id: 7` without saying why."""
    made = planned(stack(({"model": "qwen2.5-0.5b-instruct", "name": name},)))
    text = serve_config_text(made)
    assert f'model_id: "{name}"' in text
    [application] = serve_config(made)["applications"]
    [llm] = application["args"]["llm_configs"]
    assert llm["model_loading_config"]["model_id"] == name
    assert application["name"].rpartition("-")[0] == name


# KubeRay


def test_no_two_pools_differ_in_their_tolerations_alone() -> None:
    """KubeRay compares everything of a worker group but its tolerations.

    If a pool keeps its name and gets another GPU, its nodes get another taint. Workers with the old
    tolerations would stay Pending for ever, so something else of the group has to differ too.
    """
    made = plan()
    seen: dict[str, list[Any]] = {}
    for tier in gpu_tiers().values():
        for machine in tier.machine_types:
            pod = ray_pod(machine_types()[machine], tier)
            row = pool(tier.id, id="same", machine_type=machine, pod=pod)
            group = gpu_worker_group(made, row)
            tolerations = group["template"]["spec"].pop("tolerations")
            of_others = [other for key, other in seen.items() if key != str(tolerations)]
            assert not any(group in other for other in of_others), f"{tier.id} on {machine}"
            seen.setdefault(str(tolerations), []).append(group)
    assert len(seen) > 1


@thorough
@given(stacks())
def test_no_stack_file_changes_the_autoscaler_because_that_makes_a_second_cluster(
    values: Values,
) -> None:
    written, usual = ray_cluster_config(planned(values)), ray_cluster_config(plan())
    for key in ("autoscalerOptions", "enableInTreeAutoscaling"):
        assert written[key] == usual[key]
    assert written.keys() == usual.keys()


def test_what_kuberay_compares_includes_the_autoscaler_the_version_and_annotations() -> None:
    """The comparison that other tests use: each of these edits alone made a second cluster."""
    usual = ray_cluster_config(plan())
    for edit in (
        {"autoscalerOptions": {**usual["autoscalerOptions"], "idleTimeoutSeconds": 1}},
        {"rayVersion": "2.49.2"},
    ):
        assert hashed({**usual, **edit}) != hashed(usual)
    annotated = ray_cluster_config(plan())
    annotated["headGroupSpec"]["template"]["metadata"] = {"annotations": {"a": "b"}}
    assert hashed(annotated) != hashed(usual)


# Writes without an effect


def written(**keys: Any) -> ServiceManifests:
    sections: dict[str, Any] = {
        "cluster": {"name": "llm-test", "zones": ["us-central1-a", "us-central1-c"]},
        "gpuPools": [{"tier": "l4", "maxNodes": 4}],
        **keys,
    }
    return service_manifests(planned(stack(**sections)))


@pytest.mark.parametrize(
    "edit",
    [
        {"gpuPools": [{"tier": "l4", "maxNodes": 9}]},
        {"gpuPools": [{"tier": "l4", "maxNodes": 4, "minNodes": 1}]},
        {"gpuPools": [{"tier": "l4", "maxNodes": 4, "bootDiskGb": 500}]},
        {"gpuPools": [{"tier": "l4", "maxNodes": 4, "zones": ["us-central1-a"]}]},
        {"cluster": {"name": "other", "zones": ["us-central1-a"], "deletionProtection": False}},
        {"cluster": {"name": "llm-test", "zones": ["us-central1-a"], "releaseChannel": "STABLE"}},
        {"quotas": {"NVIDIA_L4_GPUS": 8}},
        {"prices": {"l4": {"onDemand": 3.0}}},
        {"monthlyBudget": 100_000},
        {"loadFactor": 0.5},
        {"accept": ["batch-of-one"]},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_what_concerns_only_google_or_the_plan_writes_no_object_of_the_cluster(
    edit: dict[str, Any],
) -> None:
    """Even an annotation that only Pulumi reads is a write to the object and wakes KubeRay."""
    # What hooks have to know of pools and quotas is no object.
    before = written()
    assert replace(written(**edit), room=before.room, rollout=before.rollout) == before
