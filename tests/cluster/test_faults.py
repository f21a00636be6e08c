"""Faults under a service in use, and what its users notice of them."""

import contextlib
import time

import psutil
import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import RAY_SERVICE, end, kept_down, kill, running, wait_until_up
from tests.cluster.load import Load
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY, THIRD
from tests.engine.deployments import TOKEN

pytestmark = pytest.mark.cluster

OUT_OF_MEMORY = "No available memory for the cache blocks."


@pytest.fixture
def service(deployed_service: Service) -> Service:
    """The small service as the previous fault left it."""
    return deployed_service


def generation(service: Service) -> int:
    number: int = service.cluster.get(RAY_SERVICE)["metadata"]["generation"]
    return number


@pytest.mark.thorough
def test_an_operator_killed_in_the_middle_of_a_rollout_finishes_it(
    service: Service, figures: Figures
) -> None:
    before, clusters = generation(service), service.deployment.ray_clusters()
    with Load(service.cluster, ("steady", "other")) as load:
        rollout = service.edit().start_up()
        eventually(lambda: generation(service) > before, "the rollout has begun", seconds=60)
        kill(service.cluster, "ray-operator")
        code, output = end(rollout)
        assert code == 0, output
        service.assert_whole()
    figures.add("operator killed in a rollout: requests", load.summary())
    assert load.lost == []
    assert service.deployment.ray_clusters() == clusters


@pytest.mark.thorough
def test_a_killed_serve_controller_loses_no_request_and_comes_back(
    service: Service, figures: Figures
) -> None:
    with Load(service.cluster, ("steady", "other")) as load:
        time.sleep(2)
        kill(service.cluster, "ray::ServeController")
        time.sleep(10)
        service.edit().must_up()
        service.assert_whole()
    figures.add("Serve controller killed: requests", load.summary())
    assert load.lost == []


def test_a_killed_worker_costs_only_its_own_model(service: Service, figures: Figures) -> None:
    (pod,) = service.cluster.engine_pods("steady")
    with (
        Load(service.cluster, ("steady", "other")) as load,
        Load(service.cluster, ("other",), per_second=8, by_name=True) as by_name,
    ):
        time.sleep(2)
        for process in service.cluster.processes_of(pod):
            # Some processes end when others are killed.
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with figures.timed("a killed worker, until its model answers again"):
            eventually(
                lambda: service.cluster.chat("steady", "steady", "again") == (200, "steady: again"),
                "the model answers from another worker",
                seconds=180,
            )
        pods = [other["metadata"]["uid"] for other in service.cluster.ray_pods("t4")]
        assert pod["metadata"]["uid"] not in pods
    own = len(load.lost_of("steady"))
    figures.add("worker killed: requests, its own model's", f"{own} of {load.sent // 2} lost")
    others = len(load.lost_of("other"))
    figures.add("worker killed: requests, the other's", f"{others} of {load.sent // 2} lost")
    figures.add("worker killed: the other's, sent to any pod of the Service", by_name.summary())
    assert load.lost_of("other") == []
    # A Service sends some requests to the dead pod until Kubernetes has noticed.
    assert {lost.status for lost in by_name.lost} <= {502}
    assert all(lost.seconds < 15 for lost in by_name.lost)
    service.assert_whole()


def test_an_engine_that_dies_at_start_fails_the_up_with_its_error(
    service: Service, figures: Figures
) -> None:
    cluster = service.cluster
    service.restore()
    cluster.engine_faults({"third": {"start": OUT_OF_MEMORY}})
    with Load(cluster, ("steady", "other")) as load:
        with figures.timed("an engine that dies at start, until the up fails"):
            failed = service.edit().up()
        output = failed.stdout + failed.stderr
        assert failed.returncode != 0
        assert f"third: RuntimeError: {OUT_OF_MEMORY}" in output
        assert "1 of 3 models do not answer" in output
        assert TOKEN not in output
        service.deployment.assert_answers("steady", "other")

        # Nothing was wrong in the file: once the cause is gone, the same file works.
        cluster.engine_faults({})
        service.deployment.must_up()
        service.assert_whole()
    figures.add("an engine that dies at start: other models' requests", load.summary())
    assert load.lost == []


def test_a_corrected_stack_file_repairs_a_model_that_failed(service: Service) -> None:
    service.cluster.engine_faults({"third": {"start": OUT_OF_MEMORY}})
    assert service.edit().up().returncode != 0
    service.cluster.engine_faults({})
    service.edit().must_up()
    service.assert_whole()


@pytest.mark.thorough
def test_a_failed_edit_of_two_replicas_costs_none_of_them_on_any_release(
    service: Service, figures: Figures
) -> None:
    """There is room for one replica of the new version, which is taken away as it fails."""
    cluster = service.cluster
    two = {**THIRD, "replicas": {"min": 2, "max": 2}}
    service.models(STEADY, OTHER, two).must_up()
    cluster.engine_faults({"third": {"start": OUT_OF_MEMORY}})
    with Load(cluster, ("third",)) as load:
        assert service.models(STEADY, OTHER, {**two, "contextLength": 2048}).up().returncode != 0
        time.sleep(2)
    figures.add("a failed edit of two replicas: its requests", load.summary())
    assert load.lost == []
    service.deployment.assert_answers("third")
    assert len(cluster.engine_pods("third")) == 2
    cluster.engine_faults({})
    service.models(STEADY, OTHER, {**two, "contextLength": 2048}).must_up()
    service.assert_whole()


@pytest.mark.thorough
def test_requests_are_answered_while_the_control_plane_is_gone(
    service: Service, figures: Figures
) -> None:
    programs = (
        "etcd",
        "kube-apiserver",
        "kube-controller",
        "kube-scheduler",
        "kwok",
        "ray-operator",
    )
    clusters = service.deployment.ray_clusters()
    with Load(service.cluster, ("steady", "other")) as load:
        for program in programs:
            kill(service.cluster, program)
        wait_until_up(service.cluster)
        time.sleep(5)
        service.assert_whole()
    figures.add("etcd and all of the control plane killed: requests", load.summary())
    assert load.lost == []
    assert service.deployment.ray_clusters() == clusters


@pytest.mark.thorough
def test_an_api_server_that_is_down_at_up_is_reported_and_nothing_is_lost(
    service: Service, figures: Figures
) -> None:
    clients = ("kube-controller", "kube-scheduler", "kwok", "ray-operator")
    before = running(service.cluster, *clients)
    with Load(service.cluster, ("steady", "other")) as load:
        with kept_down(service.cluster, "kube-apiserver"):
            failed = service.edit().up()
        output = failed.stdout + failed.stderr
        assert failed.returncode != 0
        assert "unreachable" in output, output
        wait_until_up(service.cluster)
        service.deployment.must_up()
        service.assert_whole()
    # They are restarted with the API server; otherwise they would reconnect only much later.
    assert not before & running(service.cluster, *clients)
    figures.add("API server down at up: requests", load.summary())
    assert load.lost == []


@pytest.mark.thorough
def test_an_api_server_that_goes_down_during_up_and_comes_back(
    service: Service, figures: Figures
) -> None:
    before = generation(service)
    with Load(service.cluster, ("steady", "other")) as load:
        rollout = service.edit().start_up()
        eventually(lambda: generation(service) > before, "the rollout has begun", seconds=60)
        kill(service.cluster, "kube-apiserver")
        code, output = end(rollout)
        wait_until_up(service.cluster)
        if code != 0:
            # The up names what it was waiting for, and the next up continues from there.
            causes = ("the API server", "unreachable", "the cluster cannot be asked")
            assert any(cause in output for cause in causes), output
            service.deployment.must_up()
        service.assert_whole()
    figures.add("API server down during up: requests", load.summary())
    assert load.lost == []
