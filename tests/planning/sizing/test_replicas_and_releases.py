"""Autoscaling ranges and targets, and the releases that work together."""

from typing import Any

import pytest

from models.catalog import kuberay_releases, ray_releases
from planning import ModelPlan
from tests.planning.stacks import MODEL, Values, planned, stack, warnings


def model(defaults: Values | None = None, **keys: Any) -> ModelPlan:
    entry = {"model": MODEL, **keys}
    return planned(
        stack([entry], [{"tier": "l4", "maxNodes": 100}], defaults=defaults or {})
    ).models[0]


@pytest.mark.parametrize(
    ("own", "habit", "expected"),
    [
        ({}, {}, (1, 2)),
        ({}, {"min": 0, "max": 5}, (0, 5)),
        ({"min": 3}, {}, (3, 3)),
        ({"max": 9}, {}, (1, 9)),
        ({"max": 1}, {}, (1, 1)),
        ({"min": 2}, {"min": 0, "max": 5}, (2, 5)),
        ({"max": 7}, {"min": 2}, (2, 7)),
        ({"min": 0, "max": 1}, {"min": 2, "max": 8}, (0, 1)),
    ],
)
def test_a_range_is_the_models_own_else_the_defaults(
    own: Values, habit: Values, expected: tuple[int, int]
) -> None:
    replicas = model({"replicas": habit}, replicas=own).replicas
    assert (replicas.min, replicas.max) == expected


def test_a_habit_gives_way_to_a_small_batch() -> None:
    replicas = model({"targetOngoingRequests": 100}, engine={"max_num_seqs": 32}).replicas
    assert replicas.target_ongoing_requests == 32
    assert replicas.max_ongoing_requests > 32


def test_delays_of_the_model_win_even_at_zero() -> None:
    replicas = model({"upscaleDelaySeconds": 30}, upscaleDelaySeconds=0).replicas
    assert (replicas.upscale_delay_seconds, replicas.downscale_delay_seconds) == (0, 600)


@pytest.mark.parametrize(("delay", "look_back"), [(0, 10), (15, 15), (20, 20), (600, 20)])
def test_load_is_averaged_no_longer_than_a_replica_stays(delay: int, look_back: int) -> None:
    planned_model = model(downscaleDelaySeconds=delay)
    assert planned_model.replicas.look_back_seconds == look_back
    assert planned_model.routers.look_back_seconds == 30


def test_whether_a_model_is_used_is_looked_at_every_second() -> None:
    """More seldom, and one that answers quickly is taken for unused."""
    planned_model = model()
    assert planned_model.replicas.metrics_interval_seconds == 1
    assert planned_model.routers.metrics_interval_seconds == 10


def test_routers_sleep_with_their_model_and_are_two_where_it_stays_up() -> None:
    assert model(replicas={"min": 0, "max": 4}).routers.min == 0
    assert model(replicas={"min": 1, "max": 4}).routers.min == 1
    assert model(replicas={"min": 4, "max": 4}).routers.min == 2


@pytest.mark.parametrize(
    ("minima", "pods"), [([0, 0], 0), ([1, 0], 1), ([1, 5], 1), ([2, 2], 2), ([4] * 6, 4)]
)
def test_pods_hold_three_routers_each_with_all_models_at_their_minima(
    minima: list[int], pods: int
) -> None:
    models = tuple(
        {"model": MODEL, "name": f"m{index}", "gpu": "l4", "replicas": {"min": low, "max": 5}}
        for index, low in enumerate(minima)
    )
    plan = planned(stack(models, [{"tier": "l4", "maxNodes": 100}]))
    assert plan.router_group.pods_at_min == pods


@pytest.mark.parametrize("ray", ray_releases())
@pytest.mark.parametrize("kuberay", kuberay_releases())
def test_every_combination_of_the_release_table_is_planned(ray: str, kuberay: str) -> None:
    plan = planned(
        stack([{"model": MODEL, "gpu": "l4"}], ["l4"], versions={"ray": ray, "kuberay": kuberay})
    )
    assert (plan.release.ray.ray, plan.release.kuberay.version) == (ray, kuberay)
    assert plan.release.vllm == ray_releases()[ray].vllm
    assert plan.release.image == ray_releases()[ray].image


def test_the_default_release_is_run_in_a_whole_cluster_and_warns_of_nothing() -> None:
    values = stack(gpuPools=["l4"])
    assert planned(values).release.ray.ray == "2.60.0"
    assert planned(values).release.kuberay.version == "1.6.2"
    assert warnings(values) == []


@pytest.mark.parametrize("ray", ["2.49.1", "2.60.0"])
@pytest.mark.parametrize("install", [{}, {"install": "existing"}, {"install": "gke-addon"}])
def test_the_releases_that_a_whole_cluster_runs_warn_of_nothing(
    ray: str, install: dict[str, str]
) -> None:
    versions = {"ray": ray, "kuberay": "1.6.2"}
    assert warnings(stack(gpuPools=["l4"], versions=versions, kubeRay=install)) == []


@pytest.mark.parametrize("install", ["helm", "existing", "gke-addon"])
@pytest.mark.parametrize(
    ("key", "version", "run"),
    [
        ("ray", "2.50.1", "is run by this project on Ray Serve alone, without KubeRay and its "),
        ("ray", "2.59.0", "is run by this project on Ray Serve alone, without KubeRay and its "),
        ("kuberay", "1.4.2", "is not run by this project, which only upgrades from its CRDs"),
        ("kuberay", "1.5.2", "is not run by this project"),
        ("kuberay", "1.7.0", "is not run by this project"),
    ],
)
def test_a_release_that_no_whole_cluster_runs_warns_with_what_is_run(
    key: str, version: str, run: str, install: str
) -> None:
    versions = {"kuberay": "1.6.2", key: version}
    values = stack(gpuPools=["l4"], versions=versions, kubeRay={"install": install})
    (warning,) = warnings(values)
    assert warning.startswith(f"ray-llm:versions.{key}: {version} {run}")
    assert warning.endswith(
        "in a whole cluster. Try it on a development stack first. [release-untested]"
    )


def test_min_zero_is_as_good_on_every_release() -> None:
    """The generated configs were seen to reach zero and to wake on all of them."""
    for ray in ray_releases():
        values = stack([{"model": MODEL, "replicas": {"min": 0}}], ["l4"], versions={"ray": ray})
        assert {warning.rule for warning in planned(values).warnings} <= {"release-untested"}


@pytest.mark.parametrize("rule", ["managed-prometheus", "scale-to-zero-broken"])
def test_a_warning_that_is_gone_may_stay_in_accept(rule: str) -> None:
    (warning,) = planned(stack(gpuPools=["l4"], accept=[rule])).warnings
    assert warning.rule == "accept-unused"


def test_an_image_of_ones_own_brings_its_vllm() -> None:
    versions = {"ray": "2.49.1", "image": "europe-docker.pkg.dev/acme/ray-llm:1", "vllm": "0.10.2"}
    release = planned(stack(gpuPools=["l4"], versions=versions)).release
    assert (release.image, release.vllm) == (versions["image"], "0.10.2")
