"""What a preview says of edits of node pools, on the real engine."""

import json
from typing import Any

import pytest

from reports.pulumi_preview import engine_preview
from tests.engine.deployments import Deployment

pytestmark = pytest.mark.engine

MODELS = [{"model": "qwen2.5-0.5b-instruct", "gpu": "t4"}]
T4 = {"tier": "t4", "maxNodes": 4}
L4 = {"tier": "l4", "maxNodes": 4}


def config(
    *pools: dict[str, Any], cpu: str | None = None, protected: bool = False
) -> dict[str, Any]:
    cluster: dict[str, Any] = {
        "name": "llm-pools",
        "zones": ["us-central1-a"],
        "deletionProtection": protected,
    }
    if cpu:
        cluster["cpuPool"] = {"machineType": cpu}
    return {
        "gcp:project": "acme-ml",
        "gcp:region": "us-central1",
        "ray-llm:cluster": cluster,
        "ray-llm:versions": {"ray": "2.49.1"},
        "ray-llm:gpuPools": list(pools),
        "ray-llm:models": MODELS,
    }


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    deployment = Deployment(tmp_path_factory.mktemp("pools"), "dev", config(T4, L4))
    deployment.must_up()
    return deployment


def explained(deployment: Deployment, edited: dict[str, Any]) -> list[str]:
    """What the comment of a pull request takes from the engine's own JSON."""
    deployment.write(edited)
    done = deployment.pulumi("preview", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    for diagnostic in json.loads(done.stdout)["diagnostics"]:
        assert "hook" not in diagnostic["message"].lower()
    return [item.text for item in engine_preview(done.stdout, "preview").explanations]


def test_nothing_is_said_of_a_stack_that_stays_and_it_is_known_to_stay(
    deployed: Deployment,
) -> None:
    assert explained(deployed, config(T4, L4)) == []
    for options in ([], ["--refresh"], ["--show-sames"]):
        done = deployed.pulumi("preview", "--json", *options)
        found = engine_preview(done.stdout, "preview", "dev")
        assert (found.service, found.steps, found.errors) == ("same", (), ())


def test_sizes_change_in_place_and_a_larger_machine_of_the_ray_head_does_not(
    deployed: Deployment,
) -> None:
    edited = config({**T4, "maxNodes": 5}, L4, cpu="e2-standard-16")
    head, size = explained(deployed, edited)
    assert head.startswith("GKE replaces the nodes of pool app-pool one after the other")
    assert "the Ray head" in head
    assert size == "Node pool t4 changes in place (maxNodes): no node is replaced."


def test_a_pool_that_is_replaced_says_because_of_what(deployed: Deployment) -> None:
    said = explained(deployed, config(T4, {**L4, "spot": True, "name": "l4"}))
    assert any(
        text.startswith("Node pool l4 is deleted and created again, because spot changes:")
        for text in said
    )
    # The pods of spot nodes are others, so there is a second Ray cluster too.
    assert any("KubeRay starts a second Ray cluster" in text for text in said)


def test_a_protected_stack_keeps_its_pools_unless_this_one_change_is_allowed(
    deployed: Deployment,
) -> None:
    spot = {**L4, "spot": True, "name": "l4"}
    edited = config(T4, spot, protected=True)
    deployed.write(edited)
    done = deployed.pulumi("preview")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "ray-llm:gpuPools: l4 would be deleted and created again, because spot changes" in said
    id_ = said.partition("{allow: ")[2].partition("}")[0]
    edited["ray-llm:rollout"] = {"allow": id_}
    assert any("ray-llm:rollout.allow lets it pass" in text for text in explained(deployed, edited))


def test_a_pool_that_comes_is_named(deployed: Deployment) -> None:
    said = explained(deployed, config(T4, L4, {"tier": "l4-x2", "maxNodes": 2}))
    assert "Node pool l4-x2 is added and has no node until one is due." in said


def test_a_pool_that_goes_is_named_and_no_hook_stands_in_the_way(deployed: Deployment) -> None:
    """A hook before a deletion would stop a `pulumi destroy`, which runs no program."""
    said = explained(deployed, config(T4))
    assert "Node pool l4 is deleted, and its nodes with it." in said
    deployed.must_up()
    assert explained(deployed, config(T4)) == []
    destroyed = deployed.pulumi("destroy", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert deployed.existing() == set()
