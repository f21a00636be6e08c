"""Settings of hardening on the real engine: what they make, and that a second `up` is quiet."""

from typing import Any

import pytest

from tests.engine.deployments import Deployment, urn_type

pytestmark = pytest.mark.engine

NODES = "nodes@acme-ml.iam.gserviceaccount.com"
CLUSTER = {"name": "llm-hard", "zones": ["us-central1-a"], "deletionProtection": False}


def config(*, hardened: bool, **keys: Any) -> dict[str, Any]:
    cluster: dict[str, Any] = dict(CLUSTER)
    more: dict[str, Any] = {}
    if hardened:
        cluster |= {"privateNodes": True, "nodeServiceAccount": NODES}
        more = {
            "ray-llm:service": {
                "podSecurity": "restricted",
                "headRecovery": {"redis": "10.0.0.3:6379", "passwordSecret": "redis-auth"},
            },
            "ray-llm:huggingFaceToken": {"existingSecret": "team-token"},
        }
    return {
        "gcp:project": "acme-ml",
        "gcp:region": "us-central1",
        "ray-llm:cluster": cluster,
        "ray-llm:versions": {"ray": "2.49.1"},
        "ray-llm:gpuPools": [{"tier": "t4", "maxNodes": 4}],
        "ray-llm:models": [{"model": "qwen2.5-0.5b-instruct", "gpu": "t4"}],
        **more,
        **keys,
    }


def of_type(deployment: Deployment, type_: str) -> list[dict[str, Any]]:
    return [item["inputs"] for item in deployment.state() if urn_type(item["urn"]) == type_]


def assert_quiet(deployment: Deployment) -> None:
    done = deployment.pulumi("preview", "--expect-no-changes")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def hardened(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("hardened")
    deployment = Deployment(folder, "dev", config(hardened=True))
    deployment.must_up()
    return deployment


def test_private_nodes_have_a_way_out_and_one_account_and_a_second_up_changes_nothing(
    hardened: Deployment,
) -> None:
    [cluster] = of_type(hardened, "gcp:container/cluster:Cluster")
    assert cluster["privateClusterConfig"]["enablePrivateNodes"] is True
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is False
    pools = of_type(hardened, "gcp:container/nodePool:NodePool")
    assert [pool["networkConfig"]["enablePrivateNodes"] for pool in pools] == [True, True]
    assert {pool["nodeConfig"]["serviceAccount"] for pool in pools} == {NODES}
    [router] = of_type(hardened, "gcp:compute/router:Router")
    [nat] = of_type(hardened, "gcp:compute/routerNat:RouterNat")
    assert nat["router"] == router["name"]
    assert nat["region"] == router["region"] == "us-central1"
    assert_quiet(hardened)


def test_private_nodes_replace_neither_cluster_nor_pools_of_a_running_stack(
    tmp_path: Any,
) -> None:
    deployment = Deployment(tmp_path, "dev", config(hardened=False))
    deployment.must_up()
    deployment.write(
        config(hardened=False, **{"ray-llm:cluster": {**CLUSTER, "privateNodes": True}})
    )
    done = deployment.preview()
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 0, text
    assert "replace" not in {change.operation for change in deployment.changes()}
    assert "GKE replaces the nodes of pool t4 one after the other, because privateNodes" in text
    deployment.must_up()
    assert_quiet(deployment)


def test_another_account_of_nodes_is_said_to_replace_the_pools(hardened: Deployment) -> None:
    other = {**CLUSTER, "privateNodes": True, "nodeServiceAccount": f"other-{NODES}"}
    hardened.write(config(hardened=True, **{"ray-llm:cluster": other}))
    done = hardened.preview()
    text = " ".join((done.stdout + done.stderr).split())
    assert "t4 is deleted and created again, because nodeServiceAccount changes" in text
    hardened.write(config(hardened=True))


def test_a_token_of_secret_manager_is_ordered_and_never_held(tmp_path: Any) -> None:
    stack = config(hardened=False, **{"ray-llm:huggingFaceToken": {"secretManager": "hf-token"}})
    deployment = Deployment(tmp_path, "dev", stack)
    done = deployment.preview()
    assert done.returncode == 0, done.stdout + done.stderr
    made = {change.type for change in deployment.changes()}
    assert "kubernetes:external-secrets.io/v1:ExternalSecret" in made
    assert "kubernetes:core/v1:Secret" not in made
