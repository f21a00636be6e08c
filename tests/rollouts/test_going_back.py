"""Whether the Ray cluster that answers is what a spec says, and what follows from that."""

import copy
from typing import Any

import pytest

from rollouts import Left, is_as_wanted, way_back
from tests.manifests.plans import model, plan, pool
from tests.manifests.written import ray_service

WANTED: dict[str, Any] = ray_service(plan(models=(model("a", "t4"),), pools=(pool("t4"),)))["spec"]
CLUSTER: dict[str, Any] = WANTED["rayClusterConfig"]


def changed(path: str, value: Any) -> dict[str, Any]:
    spec = copy.deepcopy(CLUSTER)
    group = spec["workerGroupSpecs"][-1]
    if path == "image":
        spec["headGroupSpec"]["template"]["spec"]["containers"][0]["image"] = value
    else:
        group[path] = value
    return spec


@pytest.mark.parametrize("kuberay", ["1.6.2", "1.4.2", None, "9.9.9"])
def test_the_cluster_of_a_spec_is_known_again_though_its_autoscaler_has_counted_on(
    kuberay: str | None,
) -> None:
    assert is_as_wanted(CLUSTER, CLUSTER, kuberay)
    assert is_as_wanted(changed("replicas", 7), CLUSTER, kuberay)
    # What is left of workers that it has removed.
    assert is_as_wanted(changed("scaleStrategy", {"workersToDelete": []}), CLUSTER, kuberay)


@pytest.mark.parametrize("kuberay", ["1.6.2", "1.4.2", None])
def test_another_image_a_missing_group_and_no_cluster_are_not_as_wanted(
    kuberay: str | None,
) -> None:
    more = {**CLUSTER, "workerGroupSpecs": [*CLUSTER["workerGroupSpecs"], {"groupName": "more"}]}
    for answering in (None, changed("image", "other:1"), more, {}, {"workerGroupSpecs": 7}):
        assert not is_as_wanted(answering, CLUSTER, kuberay)


def test_a_field_of_which_it_is_not_certain_gives_nothing_up() -> None:
    suspended = {**CLUSTER, "suspend": True}
    assert not is_as_wanted(suspended, CLUSTER, "1.6.2")


def test_a_service_as_it_is_to_be_needs_nothing() -> None:
    left = Left(spec=WANTED, job="a", answering=CLUSTER, starts_another=False)
    todo = way_back(left, WANTED, "a", "1.6.2", was_deployed=True)
    assert (todo.gives_up, todo.writes) == (False, False)


def test_a_model_that_needs_more_workers_gives_no_second_cluster_up() -> None:
    more = {**WANTED, "rayClusterConfig": changed("replicas", 7)}
    left = Left(spec=WANTED, job="a", answering=CLUSTER, starts_another=False)
    assert not way_back(left, more, "b", "1.6.2", was_deployed=False).gives_up
    starts = Left(spec=WANTED, job="a", answering=CLUSTER, starts_another=True)
    assert way_back(starts, more, "b", "1.6.2", was_deployed=False).gives_up


def test_a_change_of_the_cluster_that_kuberay_has_not_seen_yet_is_given_up() -> None:
    sent = {**WANTED, "rayClusterConfig": changed("image", "other:1")}
    left = Left(spec=sent, job="b", answering=CLUSTER, starts_another=False)
    assert way_back(left, WANTED, "a", "1.6.2", was_deployed=True).gives_up


def test_what_a_newer_revision_changes_is_left_to_the_engine() -> None:
    edited = {**WANTED, "serveConfigV2": "applications: []"}
    left = Left(spec=edited, job="b", answering=CLUSTER, starts_another=False)
    assert not way_back(left, WANTED, "a", "1.6.2", was_deployed=False).writes
    assert way_back(left, WANTED, "a", "1.6.2", was_deployed=True).writes
