"""What `up` does about edited models if no GPU is free for a second version."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml

from components import model_handover
from components.live_ray_service import State
from components.model_handover import Handover, HandoverError
from manifests import service_manifests
from models.stack import WithoutRoom
from planning import ModelPlan
from rollouts import GpuQuota, ServeConfig, running_at_least
from tests.manifests.plans import model, plan, replicas

if TYPE_CHECKING:
    from components.live_ray_service import LiveRayService

PENDING = "1 replicas that have taken more than 30s to be scheduled"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_handover, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(model_handover, "GPU_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(model_handover, "SMOKE_TEST_DEADLINE_SECONDS", 0.1)


@dataclass
class Served:
    """A RayService whose models take one GPU each, of so many that there are.

    A replica that finds a GPU runs at once. Those that run keep theirs, and the others wait.
    """

    config: ServeConfig
    gpus: int
    running: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place()

    def state(self) -> State:
        statuses = {
            item["name"]: {"status": "RUNNING"}
            if self.running[item["name"]] >= running_at_least(item)
            else {
                "status": "DEPLOYING",
                "serveDeploymentStatuses": {"LLMServer": {"message": PENDING}},
            }
            for item in self.config["applications"]
        }
        return State(
            serve_config=copy.deepcopy(dict(self.config)),
            statuses=statuses,
            starting={},
            active="first",
            pending="",
            head_starts=False,
            smoke_test=None,
            spec={},
            managers=(),
            uid="uid",
            version="1",
        )

    def replicas(self) -> Mapping[str, int]:
        return dict(self.running)

    def submit(self, serve_config: ServeConfig, state: State) -> bool:
        self.config = copy.deepcopy(dict(serve_config))
        self._place()
        return True

    def routes(self) -> dict[str, str]:
        return {item["route_prefix"]: item["name"] for item in self.config["applications"]}

    def _place(self) -> None:
        names = {item["name"] for item in self.config["applications"]}
        self.running = {name: count for name, count in self.running.items() if name in names}
        for item in self.config["applications"]:
            name, free = item["name"], self.gpus - sum(self.running.values())
            has = self.running.get(name, 0)
            self.running[name] = has + max(0, min(running_at_least(item) - has, free))


def serve_config(*models: ModelPlan) -> ServeConfig:
    text = service_manifests(plan(models=models)).ray_service["spec"]["serveConfigV2"]
    config: dict[str, Any] = yaml.safe_load(text)
    return config


OLD, NEW = (
    serve_config(model("a", max_model_len=length), model("b", max_model_len=length))
    for length in (2048, 4096)
)


def hand_over(
    service: Served,
    maximum: Mapping[str, int],
    without_room: WithoutRoom,
    wanted: ServeConfig = NEW,
    quotas: Sequence[GpuQuota] = (),
) -> list[str]:
    """What it warned of; maximum: the most GPUs of each pool."""
    warned: list[str] = []
    Handover(
        service=cast("LiveRayService", service),
        pool_gpus=maximum,
        say=lambda _: None,
        warn=warned.append,
        without_room=without_room,
        quotas=quotas,
    ).run(wanted)
    return warned


@pytest.mark.parametrize("setting", [WithoutRoom.WAIT, WithoutRoom.STOP])
def test_nothing_changes_if_no_node_comes_in_time(setting: WithoutRoom) -> None:
    service = Served(OLD, gpus=2)
    with pytest.raises(HandoverError, match="Nothing was changed, and the old version goes on"):
        hand_over(service, {"l4": 4}, setting)
    assert service.config == OLD


@pytest.mark.parametrize("setting", [WithoutRoom.WAIT, WithoutRoom.STOP])
def test_no_model_takes_over_if_another_pool_has_no_room(setting: WithoutRoom) -> None:
    old, new = (
        serve_config(model("a", max_model_len=length), model("b", "t4", max_model_len=length))
        for length in (2048, 4096)
    )
    service = Served(old, gpus=4)
    with pytest.raises(HandoverError, match=r"^b: the pool has no room .* Nothing was changed"):
        hand_over(service, {"l4": 2, "t4": 1}, setting, new)
    assert service.config == old


def test_what_took_over_before_is_said_and_stays() -> None:
    service = Served(OLD, gpus=3)
    take = service.submit

    def somebody_takes_the_spare(config: ServeConfig, state: State) -> bool:
        done = take(config, state)
        if "/a" in service.routes() and service.routes()["/a"] == NEW["applications"][0]["name"]:
            service.gpus = 2
        return done

    service.submit = somebody_takes_the_spare  # type: ignore[method-assign]
    with pytest.raises(HandoverError) as caught:
        hand_over(service, {"l4": 3}, WithoutRoom.WAIT)
    assert "b: no node had room for a second version" in str(caught.value)
    assert "a took over before, and stays as the stack file says now" in str(caught.value)
    assert "Nothing was changed" not in str(caught.value)
    new_a, old_b = NEW["applications"][0]["name"], OLD["applications"][1]["name"]
    assert service.routes() == {"/a": new_a, "/b": old_b}


def test_with_a_spare_gpu_every_setting_hands_over_one_after_the_other() -> None:
    for setting in WithoutRoom:
        service = Served(OLD, gpus=3)
        assert hand_over(service, {"l4": 3}, setting) == []
        assert service.routes()["/a"] == NEW["applications"][0]["name"]


@pytest.mark.parametrize("setting", [WithoutRoom.WAIT, WithoutRoom.STOP])
def test_a_quota_that_leaves_no_room_is_no_wait_for_a_node(setting: WithoutRoom) -> None:
    quota = GpuQuota(
        metric="NVIDIA_L4_GPUS",
        limit=2,
        others=0,
        of_node={"l4": 1},
        node_gpus={"l4": 1},
        min_nodes={"l4": 0},
    )
    service = Served(OLD, gpus=2)
    with pytest.raises(HandoverError, match="has no room"):
        hand_over(service, {"l4": 4}, setting, quotas=[quota])
    assert service.config == OLD
    enough = replace(quota, limit=3)
    assert hand_over(Served(OLD, gpus=3), {"l4": 4}, setting, quotas=[enough]) == []


def test_requests_are_held_without_a_node_if_the_stack_says_nothing() -> None:
    service = Served(OLD, gpus=2)
    [warned] = hand_over(service, {"l4": 4}, WithoutRoom.HOLD)
    assert "The new one takes the GPUs of the old one, and requests are held" in warned


def test_a_new_version_without_a_replica_is_not_said_to_run() -> None:
    sleepy, edited = (
        serve_config(model("a", max_model_len=length, replicas=replicas(0, 2)))
        for length in (2048, 4096)
    )
    said: list[str] = []
    Handover(
        service=cast("LiveRayService", Served(config=sleepy, gpus=4)),
        pool_gpus={"l4": 4},
        say=said.append,
        warn=said.append,
        without_room=WithoutRoom.HOLD,
        quotas=(),
    ).run(edited)
    assert "a: the new version is there, and loads on request" in said
    assert not any(line.endswith("runs") for line in said)
