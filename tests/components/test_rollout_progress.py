"""The thread that follows a rollout."""

import threading
from typing import cast

from components.kubernetes_client import UnreachableError
from components.live_ray_service import LiveRayService, State
from components.rollout_progress import Follower
from tests.components.fake_ray_service import FakeRayService, cluster_spec, ray_service

B = ray_service("image:b", "test-b", "chat-2")


class Heard(list[str]):
    """What was said, until a line has a word."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word, self.found = word, threading.Event()

    def __call__(self, line: str) -> None:
        self.append(line)
        if self._word in line:
            self.found.set()


def follow(service: FakeRayService, heard: Heard) -> Follower:
    follower = Follower(lambda: cast("LiveRayService", service), heard, poll_seconds=0.001)
    follower.start()
    assert heard.found.wait(20), list(heard)
    return follower


def test_it_says_what_happens_until_it_is_stopped() -> None:
    service = FakeRayService(manifest=B, pending="second", clusters={"second": cluster_spec("b")})
    heard = Heard("runs")
    follower = follow(service, heard)
    follower.stop()
    follower._thread.join(20)
    assert not follower._thread.is_alive()
    assert heard == ["Ray cluster second starts beside first.", "chat: runs"]


def test_a_server_that_goes_away_is_said_once_and_it_goes_on_afterwards() -> None:
    service = FakeRayService(manifest=B)
    state, asked = service.state, iter(range(100))

    def unsteady() -> State:
        if next(asked) < 5:
            raise UnreachableError("the cluster cannot be asked")
        return state()

    service.state = unsteady  # type: ignore[method-assign]
    heard = Heard("runs")
    follow(service, heard).stop()
    assert heard == [
        "The rollout cannot be followed now: the cluster cannot be asked",
        "chat: runs",
    ]


def test_an_engine_that_is_gone_ends_it_without_a_sound() -> None:
    service = FakeRayService(manifest=B)

    def gone(_: str) -> None:
        raise RuntimeError("the engine is gone")

    follower = Follower(lambda: cast("LiveRayService", service), gone, poll_seconds=0.001)
    follower.start()
    follower._thread.join(20)
    assert not follower._thread.is_alive()


def test_what_ended_since_the_last_look_is_said_when_it_is_stopped() -> None:
    service = FakeRayService(manifest=B, pending="second", clusters={"second": cluster_spec("b")})
    heard = Heard("starts")
    follower = Follower(lambda: cast("LiveRayService", service), heard, poll_seconds=600)
    follower.start()
    assert heard.found.wait(20), list(heard)
    service.active, service.pending = "second", ""
    follower.stop()
    assert "Ray cluster second answers now. KubeRay removes first in a minute." in heard
