"""Edits of a service in use: no request is lost and no GPU is taken twice."""

import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import RAY_SERVICE
from tests.cluster.load import Load
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY, THIRD

pytestmark = pytest.mark.cluster

CONFIG_MAP = "/api/v1/namespaces/ai/configmaps/llm-configs-qwen2.5"


def test_a_namespace_that_exists_is_taken_over_with_what_is_in_it(service: Service) -> None:
    cluster = service.cluster
    namespace = cluster.get("/api/v1/namespaces/ai")
    assert namespace["metadata"]["labels"]["team"] == "ml"
    assert cluster.get("/api/v1/namespaces/ai/configmaps/of-the-team")["data"] == {"a": "b"}


def test_a_second_up_and_a_refresh_change_nothing(service: Service) -> None:
    for command in ("up", "refresh"):
        done = service.deployment.pulumi(command, "--skip-preview", "--expect-no-changes")
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_model_is_added_edited_and_removed_in_place(service: Service, figures: Figures) -> None:
    before = service.deployment.ray_clusters()
    with Load(service.cluster, ("steady", "other")) as load:
        with figures.timed("a model added, until it answers"):
            service.models(STEADY, OTHER, THIRD).must_up()
        service.deployment.assert_answers("third")

        with figures.timed("a model edited, until it answers again"):
            service.models(STEADY, OTHER, {**THIRD, "contextLength": 2048}).must_up()
        running = service.deployment.serve_config("third")
        assert running["engine_kwargs"]["max_model_len"] == 2048
        service.deployment.assert_answers("third")

        with figures.timed("a model removed"):
            service.models(STEADY, OTHER).must_up()
        assert service.cluster.http("/third/v1/models")[0] == 404
    figures.add("a model added, edited and removed: other models' requests", load.summary())
    assert load.lost == []
    assert service.deployment.ray_clusters() == before


def test_an_edited_model_of_one_replica_answers_everyone_late_but_not_never(
    service: Service, figures: Figures
) -> None:
    with Load(service.cluster, ("steady",), per_second=2) as load:
        service.models({**STEADY, "contextLength": 2048}, OTHER).must_up()
        service.models(STEADY, OTHER).must_up()
    figures.add("a model of one replica edited twice: its own requests", load.summary())
    figures.add("a model of one replica edited twice: its slowest answer", f"{load.slowest:.0f} s")
    assert load.lost == []


def test_a_pool_is_appended_in_place(service: Service, figures: Figures) -> None:
    """Also if a pool has one more worker than the stack file says, which KubeRay then forgets."""
    service.models(STEADY, OTHER, THIRD).must_up()
    before = service.deployment.ray_clusters()
    wide = {
        "model": "qwen2.5-7b-instruct",
        "name": "wide",
        "gpu": "l4-x2",
        "tensorParallelSize": 2,
        "replicas": {"min": 1, "max": 1},
    }
    service.base["ray-llm:gpuPools"].append({"tier": "l4-x2", "maxNodes": 1})
    with Load(service.cluster, ("steady", "other")) as load:
        with figures.timed("a pool with two GPUs appended, until its model answers"):
            service.models(STEADY, OTHER, wide).must_up()
        service.deployment.assert_answers("wide")
        (node,) = service.cluster.nodes("l4-x2")
        (pod,) = service.cluster.ray_pods("l4-x2")
        assert pod["spec"]["nodeName"] == node["metadata"]["name"]
        assert node["status"]["allocatable"]["nvidia.com/gpu"] == "2"

        with figures.timed("after that, two models on workers of another pool, one of them new"):
            service.models(STEADY, OTHER, wide, THIRD, {**THIRD, "name": "fourth"}).must_up()
        service.deployment.assert_answers("third", "fourth")
    figures.add("a pool appended: requests", load.summary())
    assert load.lost == []
    assert service.deployment.ray_clusters() == before


def test_what_someone_edits_by_hand_is_shown_and_put_right(service: Service) -> None:
    """With `--refresh`, because without it Pulumi reads its state and not the cluster."""
    cluster = service.cluster
    text = cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"]
    assert text.count("route_prefix: /other\n") == 1
    edited = text.replace("route_prefix: /other\n", "route_prefix: /elsewhere\n")
    with Load(cluster, ("steady",)) as load:
        cluster.patch(RAY_SERVICE, {"spec": {"serveConfigV2": edited}}, "kubectl-edit")
        eventually(lambda: cluster.http("/other/v1/models")[0] == 404, "it is gone", seconds=60)

        preview = service.deployment.pulumi("preview", "--refresh", "--expect-no-changes")
        assert preview.returncode != 0
        assert "llm-ray-service" in preview.stdout

        repaired = service.deployment.pulumi("up", "--refresh", "--skip-preview")
        assert repaired.returncode == 0, repaired.stdout + repaired.stderr
        assert cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"] == text
        eventually(lambda: cluster.http("/other/v1/models")[0] == 200, "it is back", seconds=60)
    assert load.lost == []
    service.deployment.settled()


def test_a_field_that_someone_else_manages_stops_the_up_and_names_them(service: Service) -> None:
    """Only RayService and Job are forced; another manager must give up its fields of the others.

    The refusal comes before the RayService is changed, so the service continues to answer.
    """
    cluster = service.cluster
    served = cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"]
    held = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "llm-configs-qwen2.5", "namespace": "ai"},
        "data": {"other.yaml": "held: true\n"},
    }
    cluster.api(lambda api: api.apply(held, field_manager="colleague"))
    with Load(cluster, ("steady", "other")) as load:
        service.models(STEADY, {**OTHER, "contextLength": 2048})
        refused = service.deployment.up()
        output = refused.stdout + refused.stderr
        assert refused.returncode != 0
        assert 'conflict with "colleague"' in output
        assert ".data.other.yaml" in output
        assert cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"] == served

        cluster.api(lambda api: api.apply({**held, "data": {}}, field_manager="colleague"))
        service.deployment.must_up()
        running = service.deployment.serve_config("other")
        assert running["engine_kwargs"]["max_model_len"] == 2048
    assert load.lost_of("steady") == []
