"""What a preview says if a stack's Ray changes, on the real engine."""

import pytest

from models.catalog import DEFAULT_RAY
from tests.engine.deployments import Deployment, shipped_config

pytestmark = pytest.mark.engine

OLD = "2.49.1"
SECOND_CLUSTER = "KubeRay starts a second Ray cluster beside the old one"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A stack on an older release; that it was named, or was the default then, leaves no trace."""
    config = shipped_config("dev") | {"ray-llm:versions": {"ray": OLD}}
    deployment = Deployment(tmp_path_factory.mktemp("release"), "dev", config)
    deployment.must_up()
    return deployment


def _preview(deployment: Deployment, **versions: str) -> str:
    config = shipped_config("dev")
    if versions:
        config["ray-llm:versions"] = versions
    deployment.write(config)
    done = deployment.preview()
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_a_default_that_changed_is_said_with_what_it_costs_and_how_to_stay(
    deployed: Deployment,
) -> None:
    said = _preview(deployed)
    assert f"Ray {OLD} (rayproject/ray-llm:{OLD}-py311-cu128) becomes Ray {DEFAULT_RAY} (" in said
    assert f"the stack names no release and the default is Ray {DEFAULT_RAY} now" in said
    assert SECOND_CLUSTER in said
    assert "the GPUs are needed twice, and every model loads anew" in said
    assert f"To stay, write ray-llm:versions: {{ray: {OLD}}}." in said


def test_a_release_that_the_stack_names_is_not_called_a_default(deployed: Deployment) -> None:
    said = _preview(deployed, ray=DEFAULT_RAY)
    assert SECOND_CLUSTER in said
    assert "the default is" not in said


def test_what_the_warning_says_keeps_the_release(deployed: Deployment) -> None:
    said = _preview(deployed, ray=OLD)
    assert SECOND_CLUSTER not in said
    assert "RayService" not in said


def test_another_image_of_the_same_release_is_said_too(deployed: Deployment) -> None:
    image = f"us-docker.pkg.dev/acme/mirror/rayproject/ray-llm:{OLD}-py311-cu128"
    said = _preview(deployed, ray=OLD, image=image)
    assert f"becomes Ray {OLD} ({image})" in said
    assert SECOND_CLUSTER in said
