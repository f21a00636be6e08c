"""Edits of models whose engines take as long to start as real ones do: nobody waits for that."""

import threading
import time
from functools import partial

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import RAY_SERVICE, end, kill_engine
from tests.cluster.load import Load
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY
from tests.cluster.streams import read_stream

pytestmark = pytest.mark.cluster

START_SECONDS = 60.0
# The most that an answer may take while a version starts beside: the machine's own unrest.
UNREST_SECONDS = START_SECONDS / 4
EDITED = {**STEADY, "contextLength": 2048}


@pytest.fixture
def slow(service: Service) -> Service:
    """The small service, whose engines take a minute to start from now on."""
    service.cluster.engine_faults({"*": {"start_seconds": START_SECONDS}})
    return service


def replicas(cluster: Cluster) -> dict[str, list[str]]:
    """The running replicas of every model and ingress, by route and deployment."""
    return {
        f"{application['route_prefix']} {name}": sorted(
            replica["replica_id"]
            for replica in deployment["replicas"]
            if replica["state"] == "RUNNING"
        )
        for application in cluster.applications().values()
        for name, deployment in application["deployments"].items()
    }


def beside(cluster: Cluster) -> list[str]:
    """The applications that start beside others."""
    return [
        name
        for name, application in cluster.applications().items()
        if (application.get("deployed_app_config") or {})
        .get("route_prefix", "")
        .startswith("/starting/")
    ]


def test_an_edited_model_of_one_replica_keeps_nobody_waiting(
    slow: Service, figures: Figures
) -> None:
    clusters = slow.deployment.ray_clusters()
    with Load(slow.cluster, ("steady",), per_second=8) as load:
        log = slow.models(EDITED, OTHER).must_up()
    figures.add("an edit, engine of 60 s, one replica and a free GPU", load.summary())
    figures.add("... slowest answer", f"{load.slowest:.1f} s")
    assert load.lost == []
    assert load.slowest < UNREST_SECONDS
    assert "steady: the new version runs" in log
    assert slow.deployment.serve_config("steady")["engine_kwargs"]["max_model_len"] == 2048
    slow.assert_whole()
    assert slow.deployment.ray_clusters() == clusters


def test_a_changed_range_restarts_nothing(slow: Service, figures: Figures) -> None:
    before = replicas(slow.cluster)
    with Load(slow.cluster, ("steady",), per_second=8) as load:
        slow.models({**STEADY, "replicas": {"min": 1, "max": 3}}, OTHER).must_up()
        slow.models(
            {**STEADY, "replicas": {"min": 1, "max": 3}, "targetOngoingRequests": 7}, OTHER
        ).must_up()
    figures.add("two changes of a range of replicas, engine of 60 s", load.summary())
    figures.add("... slowest answer", f"{load.slowest:.1f} s")
    assert load.lost == []
    assert load.slowest < UNREST_SECONDS
    assert replicas(slow.cluster) == before
    [deployed] = [
        item
        for item in slow.cluster.models()["steady"]["deployed_app_config"]["deployments"]
        if item["name"].startswith("LLMServer")
    ]
    assert deployed["autoscaling_config"]["max_replicas"] == 3
    assert deployed["autoscaling_config"]["target_ongoing_requests"] == 7


def test_without_a_free_gpu_requests_are_held_and_none_is_lost(
    service: Service, figures: Figures
) -> None:
    two = {**OTHER, "replicas": {"min": 2, "max": 2}}  # all nodes that the pool may have
    service.models(STEADY, two).must_up()
    service.cluster.engine_faults({"*": {"start_seconds": 20.0}})
    with Load(service.cluster, ("other",), per_second=4, at_once=400) as load:
        log = service.models(STEADY, {**two, "contextLength": 2048}).must_up()
    figures.add("an edit, engine of 20 s, no free GPU", load.summary())
    figures.add("... slowest answer", f"{load.slowest:.1f} s")
    assert load.lost == []
    assert load.slowest > 15
    assert "waits for the GPUs of the old one" in log
    service.assert_whole()


@pytest.mark.parametrize("setting", ["stop", pytest.param("wait", marks=pytest.mark.thorough)])
def test_a_busy_pool_stops_an_edit_that_is_to_hold_nobody(
    service: Service, figures: Figures, setting: str
) -> None:
    """The preview counts the minimum of one replica; two run, on all nodes that the pool may have.

    They keep running after the range was widened, because nothing scales down for an hour. The pool
    of `steady` has room for two more: its new version has as many replicas as the old one.
    """
    busy, steady = ({**item, "downscaleDelaySeconds": 3600} for item in (OTHER, STEADY))
    two = {"replicas": {"min": 2, "max": 2}}
    service.models({**steady, **two}, {**busy, **two}).must_up()
    for name in ("other", "steady"):
        eventually(partial(_count_is, service, name, 2), f"two replicas of {name}", seconds=90)
    service.models(steady, busy).must_up()
    before = replicas(service.cluster)
    assert [len(before[f"/{name} LLMServer:{name}"]) for name in ("other", "steady")] == [2, 2]
    edited = {
        **service.base,
        "ray-llm:models": [{**steady, "contextLength": 2048}, {**busy, "contextLength": 2048}],
        "ray-llm:rollout": {"withoutRoom": setting},
    }
    with Load(service.cluster, ("other",), per_second=8) as load:
        deployment = service.write(edited)
        previewed = deployment.preview()
        failed = deployment.up()
    said = " ".join((previewed.stdout + previewed.stderr).split())
    assert previewed.returncode == 0, said
    assert "If other replicas have taken the GPUs for other (1 of l4) by then" in said
    assert failed.returncode != 0
    reason = " ".join((failed.stdout + failed.stderr).split())
    assert "other: the pool has no room for a second version" in reason
    assert "Nothing was changed, and the old version goes on answering." in reason
    figures.add(f"an edit that a busy pool stops ({setting})", load.summary())
    assert load.lost == []
    assert replicas(service.cluster) == before
    edited["ray-llm:rollout"] = {"withoutRoom": "hold"}
    with Load(service.cluster, ("other",), per_second=4, at_once=400) as load:
        service.write(edited).must_up()
    assert load.lost == []
    assert len(replicas(service.cluster)["/steady LLMServer:steady"]) == 2
    service.assert_whole()
    # Nodes that later tests need.
    one = {"replicas": {"min": 1, "max": 1}}
    service.models({**STEADY, **one}, {**OTHER, **one}).must_up()
    service.free_idle_workers()


def _count_is(service: Service, model: str, count: int) -> bool:
    return len(replicas(service.cluster)[f"/{model} LLMServer:{model}"]) == count


def test_a_stream_of_forty_seconds_outlives_the_edit(slow: Service, figures: Figures) -> None:
    slow.cluster.engine_faults({"*": {"start_seconds": 20.0, "token_seconds": 1.0}})
    words = " ".join(f"w{number}" for number in range(40))
    update = slow.models(EDITED, OTHER).start_up()
    streams: list[tuple[float, bool]] = []

    def stream() -> None:
        started = time.monotonic()
        text = read_stream(slow.cluster, "steady", words)
        streams.append((time.monotonic() - started, text == f"steady: {words}"))

    threads = [threading.Thread(target=stream) for _ in range(6)]
    eventually(lambda: beside(slow.cluster), "the new version starts", seconds=60)
    for thread in threads:
        thread.start()
        time.sleep(3)
    code, output = end(update)
    for thread in threads:
        thread.join()
    assert code == 0, output
    figures.add("streams during an edit", f"{len(streams)} of {min(s for s, _ in streams):.0f} s")
    assert all(whole for _, whole in streams), streams


def test_a_version_that_does_not_start_leaves_the_service_alone(
    service: Service, figures: Figures
) -> None:
    deployment = service.deployment
    before = replicas(service.cluster)
    service.cluster.engine_faults({"steady": {"start": "CUDA error: out of memory (told to fail)"}})
    with Load(service.cluster, ("steady", "other"), per_second=8) as load:
        failed = service.models(EDITED, OTHER).up()
        assert failed.returncode != 0
        assert "steady: the new version does not start: " in failed.stdout + failed.stderr
        assert "CUDA error: out of memory (told to fail)" in failed.stdout + failed.stderr
        assert replicas(service.cluster) == before
        service.cluster.engine_faults({})
        service.models(STEADY, OTHER).must_up()
        assert replicas(service.cluster) == before
        deployment.settled()
    figures.add("a version that does not start, and the way back", load.summary())
    assert load.lost == []
    service.assert_whole()


@pytest.mark.parametrize("goes_back", [True, False], ids=["back", "on"])
@pytest.mark.thorough
def test_an_update_killed_while_a_version_starts_is_ended_or_undone_by_the_next(
    slow: Service, figures: Figures, goes_back: bool
) -> None:
    before = replicas(slow.cluster)
    slow.cluster.engine_faults({"*": {"start_seconds": 25.0}})
    with Load(slow.cluster, ("steady",), per_second=8) as load:
        update = slow.models(EDITED, OTHER).start_up()
        eventually(lambda: beside(slow.cluster), "the new version starts", seconds=60)
        time.sleep(3)
        assert kill_engine(update)
        slow.deployment.pulumi("cancel", "--yes")
        if goes_back:
            slow.models(STEADY, OTHER).must_up()
            eventually(
                lambda: replicas(slow.cluster) == before, "only the old ones run", seconds=60
            )
        else:
            slow.deployment.must_up()
            config = slow.deployment.serve_config("steady")
            assert config["engine_kwargs"]["max_model_len"] == 2048
    figures.add(f"an edit killed, then {'undone' if goes_back else 'ended'}", load.summary())
    assert load.lost == []
    assert load.slowest < UNREST_SECONDS
    slow.assert_whole()
    assert "/starting/" not in slow.cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"]
