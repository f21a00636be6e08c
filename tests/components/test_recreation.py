"""Strategy `recreate`: when the Ray cluster that answers is deleted, and when it is not."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from components import recreation
from components.model_handover import HandoverError
from components.recreation import Recreation
from tests.components.fake_ray_service import FakeRayService, cluster_spec, ray_service

if TYPE_CHECKING:
    from components.live_ray_service import LiveRayService

NEW = ray_service("image:b", "test-b", "chat-2")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recreation, "_POLL_SECONDS", 0.0)


def live(**changes: Any) -> FakeRayService:
    clusters = {"first": cluster_spec("image:a"), "second": cluster_spec("image:b")}
    return FakeRayService(**({"manifest": NEW, "clusters": clusters} | changes))


def run(service: FakeRayService) -> list[str]:
    said: list[str] = []
    Recreation(
        service=cast("LiveRayService", service), spec=NEW["spec"], kuberay="1.6.2", say=said.append
    ).run()
    return said


def test_the_first_cluster_goes_as_soon_as_the_head_of_the_second_runs() -> None:
    service = live(pending="second")
    [said] = run(service)
    assert service.deleted == ["first"]
    assert "No model answers from now on" in said


def test_it_waits_until_kuberay_has_seen_the_change() -> None:
    service = live()
    looks = iter(["", "", "second", "second"])
    state = service.state
    service.state = lambda: setattr(service, "pending", next(looks)) or state()  # type: ignore[method-assign, func-returns-value]
    run(service)
    assert service.deleted == ["first"]


def test_a_cluster_that_is_as_wanted_stays() -> None:
    service = live(active="second")
    run(service)
    assert service.deleted == []


def test_a_first_deployment_deletes_nothing() -> None:
    service = live(active="", pending="second")
    run(service)
    assert service.deleted == []


def test_an_update_after_a_kill_goes_on_where_it_is_gone_already() -> None:
    service = live(pending="second")
    del service.clusters["first"]
    assert run(service) == []


def test_a_head_that_does_not_run_leaves_the_first_cluster_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recreation, "HEAD_SECONDS", -1)
    service = live(pending="second", head_starts=False)
    with pytest.raises(HandoverError, match="first was not deleted and goes on answering"):
        run(service)
    assert service.deleted == []
