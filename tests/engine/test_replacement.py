"""What a preview says of another name of the cluster or the service, on the real engine."""

from typing import Any

import pytest

from tests.engine.deployments import Deployment

pytestmark = pytest.mark.engine


def config(*, cluster: str = "llm-one", protected: bool = True, **service: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "gcp:project": "acme-ml",
        "gcp:region": "us-central1",
        "ray-llm:cluster": {
            "name": cluster,
            "zones": ["us-central1-a"],
            "deletionProtection": protected,
        },
        "ray-llm:versions": {"ray": "2.49.1"},
        "ray-llm:gpuPools": [{"tier": "t4", "maxNodes": 2}],
        "ray-llm:models": [{"model": "qwen2.5-0.5b-instruct", "gpu": "t4"}],
    }
    if service:
        values["ray-llm:service"] = service
    return values


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    deployment = Deployment(tmp_path_factory.mktemp("replacement"), "dev", config())
    deployment.must_up()
    return deployment


def previewed(deployment: Deployment, edited: dict[str, Any]) -> tuple[int, str]:
    deployment.write(edited)
    done = deployment.preview()
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_another_cluster_is_stopped_in_a_protected_stack_before_anything_is_done(
    deployed: Deployment,
) -> None:
    code, said = previewed(deployed, config(cluster="llm-two"))
    assert code != 0
    stop = (
        "ray-llm:cluster.name: llm-two deletes the GKE cluster llm-one with everything in it, and "
        "ray-llm:cluster.deletionProtection protects it. Take it back."
    )
    assert stop in said
    before = deployed.existing()
    done = deployed.up()
    assert done.returncode != 0
    assert stop in " ".join((done.stdout + done.stderr).split())
    assert deployed.existing() == before


def test_protection_is_not_dropped_by_the_change_that_it_stops(deployed: Deployment) -> None:
    code, said = previewed(deployed, config(cluster="llm-two", protected=False))
    assert code != 0
    assert "write deletionProtection: false in an `up` of its own first" in said


def test_a_service_under_another_name_is_said_and_needs_room(deployed: Deployment) -> None:
    code, said = previewed(deployed, config(name="chat"))
    assert code == 0, said
    assert "becomes chat in the namespace" in said
    tight = config(name="chat")
    tight["ray-llm:gpuPools"] = [{"tier": "t4", "maxNodes": 1}]
    code, said = previewed(deployed, tight)
    assert code != 0
    assert "ray-llm:gpuPools[0].maxNodes: 1 is below the 2 nodes" in said


def test_an_unprotected_cluster_may_be_replaced_after_an_update_of_its_own(
    deployed: Deployment,
) -> None:
    deployed.write(config(protected=False))
    deployed.must_up()
    code, said = previewed(deployed, config(cluster="llm-two", protected=False))
    assert code == 0, said
    assert "The GKE cluster llm-one is deleted with everything in it" in said
    deployed.must_up()
    code, said = previewed(deployed, config(cluster="llm-two", protected=False))
    assert code == 0
    assert "is deleted" not in said
    destroyed = deployed.pulumi("destroy", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert deployed.existing() == set()
