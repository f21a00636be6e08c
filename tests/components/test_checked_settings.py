"""The messages that programs show about a plan, and about pools without models."""

from typing import Any

import pulumi
import pytest

from components import gpu_pools_or_stop, service_or_stop
from models.service import ServiceSettings
from models.stack import (
    ClusterSettings,
    GpuPoolSettings,
    ModelDeployment,
    StackSettings,
)

UNKNOWN_REGION = StackSettings(
    stack="pools",
    project="acme-ml",
    region="europe-north1",
    cluster=ClusterSettings(name="shared", existing=True, zones=("europe-north1-a",)),
    gpu_pools=(GpuPoolSettings(tier="l4"), GpuPoolSettings(tier="l4", spot=True)),
    models=(),
    has_hugging_face_token=False,
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings that a preview would show."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi, "warn", warnings.append)
    return warnings


def test_warnings_about_pools_alone_are_shown(shown: list[str]) -> None:
    pools = gpu_pools_or_stop(UNKNOWN_REGION)
    assert [pool.id for pool in pools] == ["l4", "l4-spot"]
    assert len(shown) == 2
    assert "the catalogue does not know the zones of europe-north1" in shown[0]


def test_accepted_warnings_about_pools_alone_are_not_shown(shown: list[str]) -> None:
    accepting = UNKNOWN_REGION.model_copy(update={"accept": ("zones-unknown",)})
    assert len(gpu_pools_or_stop(accepting)) == 2
    assert shown == []


def test_pools_that_cannot_be_made_stop_the_run(shown: list[str]) -> None:
    twice = UNKNOWN_REGION.model_copy(update={"gpu_pools": (GpuPoolSettings(tier="l4"),) * 2})
    with pytest.raises(pulumi.RunError, match="l4 is also the name of an earlier pool"):
        gpu_pools_or_stop(twice)


def chat(**changes: Any) -> Any:
    values: dict[str, Any] = {
        "models": [ModelDeployment(model="qwen2.5-7b-instruct", name="chat")],
        "gpu_pools": [GpuPoolSettings(tier="l4", name="shared-l4", max_nodes=8)],
        "service": ServiceSettings(name="chat", namespace="chat"),
    }
    return service_or_stop(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": []}, r"ray-llm:models: \[\] is empty"),
        ({"gpu_pools": []}, r"ray-llm:gpuPools: \[\] is empty"),
        ({"accept": ["nope"]}, r"ray-llm:accept\[0\]: nope is not the id of a rule"),
        ({"accept": ["memory-fit"]}, r"ray-llm:accept\[0\]: memory-fit stops the preview"),
        ({"accept": "nope"}, r"ray-llm:accept\[0\]: nope is not the id of a rule"),
    ],
)
def test_a_service_of_a_program_is_read_as_strictly_as_a_stack_file(
    changes: dict[str, Any], message: str, shown: list[str]
) -> None:
    with pytest.raises(pulumi.RunError, match=message):
        chat(**changes)
    assert shown == []


def test_a_service_needs_no_project_region_zones_or_cpu_pool(shown: list[str]) -> None:
    made = chat()
    assert shown == []
    assert made.ray_service["metadata"]["namespace"] == "chat"
    assert not made.rollout.policy.removes_pools  # their owner deletes them, or nobody does
    cluster = made.ray_service["spec"]["rayClusterConfig"]
    head, (routers, gpus) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert gpus["groupName"] == "shared-l4"
    for pods in (head, routers):
        assert "nodeSelector" not in pods["template"]["spec"]


def test_a_service_keeps_to_the_cpu_pool_that_it_is_given(shown: list[str]) -> None:
    cluster = chat(cpu_pool="default-pool").ray_service["spec"]["rayClusterConfig"]
    assert cluster["headGroupSpec"]["template"]["spec"]["nodeSelector"] == {
        "cloud.google.com/gke-nodepool": "default-pool"
    }


def test_without_prices_a_model_goes_to_the_smallest_pool_on_which_it_fits(
    shown: list[str],
) -> None:
    pools = [GpuPoolSettings(tier="l4-x2"), GpuPoolSettings(tier="l4"), GpuPoolSettings(tier="t4")]
    [config_map] = chat(gpu_pools=pools).config_maps
    assert "l4: 1" in config_map["data"]["chat.yaml"]


def test_a_service_is_checked_by_the_rules_of_a_stack_file(shown: list[str]) -> None:
    too_large = ModelDeployment(model="qwen2.5-32b-instruct", name="chat", gpu="shared-l4")
    with pytest.raises(pulumi.RunError, match=r"ray-llm:models\[0\]: chat needs"):
        chat(models=[too_large])
    with pytest.raises(pulumi.RunError, match="shared-l4 is also the name of an earlier pool"):
        chat(gpu_pools=[GpuPoolSettings(tier="l4", name="shared-l4")] * 2)
