"""The shipped stacks on the real engine: preview, up, a second up, destroy."""

from pathlib import Path

import pytest

from tests.engine.deployments import CHECKOUT, Deployment, shipped_config

pytestmark = pytest.mark.engine
STACKS = ("dev", "staging", "prod")


@pytest.mark.parametrize("stack", STACKS)
def test_a_shipped_stack_previews_deploys_settles_and_goes(stack: str, tmp_path: Path) -> None:
    config = shipped_config(stack)
    deployment = Deployment(tmp_path, stack, config)

    preview = deployment.preview()
    assert preview.returncode == 0, preview.stdout + preview.stderr
    for model in config["ray-llm:models"]:
        name = model if isinstance(model, str) else model.get("name") or model.get("model", "")
        assert name in preview.stdout
    assert deployment.existing() == set()

    deployment.must_up()
    assert deployment.existing()

    second = deployment.pulumi("up", "--expect-no-changes", "--skip-preview")
    assert second.returncode == 0, second.stdout + second.stderr

    released = {**config["ray-llm:cluster"], "deletionProtection": False}
    if config["ray-llm:cluster"].get("deletionProtection", True):
        deployment.write({**config, "ray-llm:cluster": released})
        deployment.must_up()
    destroy = deployment.pulumi("destroy", "--skip-preview")
    assert destroy.returncode == 0, destroy.stdout + destroy.stderr
    assert deployment.existing() == set()
    assert deployment.state() == []


def test_previewing_leaves_the_checkout_as_it_was(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in CHECKOUT.glob("Pulumi.*yaml")}
    deployment = Deployment(tmp_path, "dev", shipped_config("dev"))
    assert deployment.preview().returncode == 0
    assert before == {path: path.read_bytes() for path in CHECKOUT.glob("Pulumi.*yaml")}


def test_a_protected_cluster_keeps_destroy_from_touching_anything(tmp_path: Path) -> None:
    config = shipped_config("dev")
    config["ray-llm:cluster"]["deletionProtection"] = True
    deployment = Deployment(tmp_path, "dev", config)
    deployment.must_up()
    before = deployment.existing()
    destroy = deployment.pulumi("destroy")
    assert destroy.returncode != 0
    assert "protected" in destroy.stdout + destroy.stderr
    assert deployment.existing() == before
