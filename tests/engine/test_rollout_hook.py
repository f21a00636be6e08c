"""What a preview says about the rollout of an edit, on the real engine."""

from typing import Any

import pytest

from models.catalog import DEFAULT_RAY
from reports.change_effects import change_effects
from reports.difference import difference
from reports.plan_data import plan_summary
from reports.sources import plan_of_file
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
    return _said(deployment, config)


def _said(deployment: Deployment, config: dict[str, Any]) -> str:
    deployment.write(config)
    done = deployment.preview()
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_an_edit_of_nothing_says_nothing(deployed: Deployment) -> None:
    said = _preview(deployed, ray=OLD)
    assert "warning:" not in said
    assert "in place" not in said


def test_an_added_and_an_edited_model_are_named(deployed: Deployment) -> None:
    config = shipped_config("dev") | {"ray-llm:versions": {"ray": OLD}}
    [first, *others] = config["ray-llm:models"]
    edited = {"model": first} if isinstance(first, str) else first
    name = edited.get("name", edited["model"])
    added = {**edited, "name": "added"}
    config["ray-llm:models"] = [{**edited, "contextLength": 1024}, *others, added]
    said = _said(deployed, config)
    assert "Model added is added." in said
    assert f"Model {name} is edited" in said
    assert SECOND_CLUSTER not in said


def test_an_appended_pool_is_said_to_be_in_place(deployed: Deployment) -> None:
    config = shipped_config("dev") | {"ray-llm:versions": {"ray": OLD}}
    config["ray-llm:gpuPools"] = [*config.get("ray-llm:gpuPools", ["t4", "l4"]), "l4-x8"]
    said = _said(deployed, config)
    assert "The running Ray cluster gets worker group l4-x8 in place: nothing restarts." in said
    assert SECOND_CLUSTER not in said


def test_a_default_that_changed_is_said_with_what_it_costs_and_how_to_stay(
    deployed: Deployment,
) -> None:
    said = _preview(deployed)
    assert f"Ray {OLD} (rayproject/ray-llm:{OLD}-py311-cu128) becomes Ray {DEFAULT_RAY} (" in said
    assert f"the stack names no release and the default is Ray {DEFAULT_RAY} now" in said
    assert SECOND_CLUSTER in said
    # One model of this stack is awake; the other one sleeps while nobody asks.
    assert "every model loads anew. Its first GPUs: 1 of l4" in said
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


def test_a_second_cluster_without_room_stops_the_preview_and_nothing_else_does(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = shipped_config("dev") | {
        "ray-llm:versions": {"ray": OLD},
        "ray-llm:gpuPools": [{"tier": "l4", "maxNodes": 1}],
        "ray-llm:models": [{"model": "qwen2.5-0.5b-instruct", "replicas": {"min": 1, "max": 1}}],
    }
    full = Deployment(tmp_path_factory.mktemp("full"), "dev", config)
    full.must_up()
    _said(full, {**config, "ray-llm:defaults": {"contextLength": 2048}})
    full.write({**config, "ray-llm:versions": {"ray": DEFAULT_RAY}})
    done = full.preview()
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "ray-llm:gpuPools[0].maxNodes: 1 is below the 2 nodes of l4" in said
    assert "Use 2, or lower replicas.min" in said
    assert SECOND_CLUSTER in said
    _said(
        full,
        {
            **config,
            "ray-llm:versions": {"ray": DEFAULT_RAY},
            "ray-llm:gpuPools": [{"tier": "l4", "maxNodes": 2}],
        },
    )


def test_the_id_of_a_change_lets_it_pass_at_the_preview_and_in_up(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = shipped_config("dev") | {
        "ray-llm:versions": {"ray": OLD},
        "ray-llm:rollout": {"strategy": "inPlaceOnly"},
    }
    stack = Deployment(tmp_path_factory.mktemp("allow"), "dev", config)
    stack.must_up()
    path = stack.folder / "Pulumi.dev.yaml"
    before = plan_of_file(path, assume_token=True)
    edited = {**config, "ray-llm:versions": {"ray": DEFAULT_RAY}}
    stack.write(edited)
    after = plan_of_file(path, assume_token=True)
    difference(plan_summary(before), plan_summary(after))
    [by_files] = change_effects(before, after).problems
    stopped = [stack.preview(), stack.pulumi("up", "--skip-preview")]
    ids = set()
    for done in stopped:
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0
        assert "ray-llm:rollout.strategy: inPlaceOnly refuses this change" in said
        ids.add(said.partition("{allow: ")[2].partition("}")[0])
    [id_] = ids
    assert f"{{allow: {id_}}}" in by_files.sentence()
    allowed = {**edited, "ray-llm:rollout": {"strategy": "inPlaceOnly", "allow": id_}}
    assert "ray-llm:rollout.allow lets it pass" in _said(stack, allowed)
    stack.must_up()
    assert "warning:" not in _said(stack, allowed)
    stack.write({**allowed, "ray-llm:versions": {"ray": OLD}})
    again = stack.preview()
    assert again.returncode != 0
    assert f"{id_}, which it allows, is another change" in again.stdout + again.stderr


def _edit_by_hand(deployment: Deployment, change: Any) -> None:
    """Change the RayService's spec in the cluster, as `kubectl edit` would."""
    [key] = [key for key in deployment.existing() if "|RayService|" in key]
    spec = deployment.cloud.cloud_objects()[key]["object"]["spec"]
    change(spec)
    deployment.cloud.edit_object(key, ["spec"], spec, "kubectl-edit")


def _refreshed(deployment: Deployment) -> str:
    done = deployment.pulumi("preview", "--refresh")
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_a_preview_with_refresh_judges_from_what_the_cluster_has(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = shipped_config("dev") | {"ray-llm:versions": {"ray": OLD}}
    service = Deployment(tmp_path_factory.mktemp("by-hand"), "dev", config)
    service.must_up()

    def longer(spec: dict[str, Any]) -> None:
        spec["serveConfigV2"] = spec["serveConfigV2"].replace(
            "max_model_len: 4096", "max_model_len: 1024"
        )

    _edit_by_hand(service, longer)
    said = " ".join(service.preview().stdout.split())
    assert "RayService" not in said  # the state is as the stack file
    said = _refreshed(service)
    assert "Model qwen2.5-1.5b-instruct is edited in place" in said
    assert SECOND_CLUSTER not in said

    def another_group(spec: dict[str, Any]) -> None:
        groups = spec["rayClusterConfig"]["workerGroupSpecs"]
        groups.append({**groups[-1], "groupName": "by-hand"})

    _edit_by_hand(service, another_group)
    said = _refreshed(service)
    assert "workerGroupSpecs[by-hand] changes" in said
    assert SECOND_CLUSTER in said


def test_a_service_that_was_imported_is_not_predicted(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Its state has the labels of whoever wrote it."""
    config = shipped_config("dev") | {"ray-llm:versions": {"ray": OLD}}
    service = Deployment(tmp_path_factory.mktemp("import"), "dev", config)
    service.must_up()
    [key] = [key for key in service.existing() if "|RayService|" in key]
    service.cloud.edit_object(key, ["metadata", "labels"], {"team": "ml"}, "kubectl-edit")
    said = _refreshed(service)
    assert "What KubeRay does with this change cannot be said beforehand" not in said
    [first, *others] = config["ray-llm:models"]
    edited = {"model": first} if isinstance(first, str) else first
    service.write({**config, "ray-llm:models": [{**edited, "contextLength": 1024}, *others]})
    said = _refreshed(service)
    assert "cannot be said beforehand: the RayService was not written by this program" in said
