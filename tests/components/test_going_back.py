"""What the next update does about each state in which a killed or failed one can leave a service.

A is the revision before, B the one that was begun, C a third one. A and B differ in their image,
unless a test says otherwise.
"""

from typing import TYPE_CHECKING, Any, cast

import pytest

from components import going_back
from components.going_back import GoingBack
from components.model_handover import Handover, HandoverError
from manifests import RolloutManifest
from rollouts import Expectation
from tests.components.fake_ray_service import JOB, FakeRayService, cluster_spec, ray_service

if TYPE_CHECKING:
    from components.live_ray_service import LiveRayService

A = ray_service("image:a", "test-a", "chat-1")
B = ray_service("image:b", "test-b", "chat-2")
A_MODEL_EDITED = ray_service("image:a", "test-c", "chat-3")


class Back:
    """The way back to `wanted`, and what was said and handed over on it."""

    def __init__(self, live: FakeRayService, wanted: dict[str, Any]) -> None:
        self.live, self.wanted = live, wanted
        self.said: list[str] = []
        self.warned: list[str] = []
        self.handed_over: list[Any] = []

    def run(self) -> None:
        job = self.wanted["metadata"]["annotations"][JOB]
        manifest = RolloutManifest(
            namespace="ai",
            name="llm",
            job_annotation=JOB,
            smoke_test=job,
            applications_path="",
            pool_gpus={},
            expected=Expectation(),
        )
        GoingBack(
            service=cast("LiveRayService", self.live),
            handover=cast("Handover", self),
            ray_service=self.wanted,
            manifest=manifest,
            kuberay="1.6.2",
            say=self.said.append,
            warn=self.warned.append,
        ).run()


class _Handing(Back):
    def run(self, wanted: Any = None) -> None:  # type: ignore[override]
        if wanted is None:
            super().run()
        else:
            self.handed_over.append(wanted)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(going_back, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(going_back, "_QUIET_SECONDS", 0.0)


def live(manifest: dict[str, Any], **changes: Any) -> FakeRayService:
    clusters = {"first": cluster_spec("image:a"), "second": cluster_spec("image:b")}
    values: dict[str, Any] = {
        "manifest": manifest,
        "clusters": clusters,
        "serving": A["spec"]["serveConfigV2"],
    }
    return FakeRayService(**(values | changes))


def back(service: FakeRayService, wanted: dict[str, Any]) -> _Handing:
    done = _Handing(service, wanted)
    done.run()
    return done


def test_nothing_was_sent_so_nothing_is_done() -> None:
    service = live(A, jobs=("test-a",))
    done = back(service, A)
    assert (service.version, done.said) == (0, [])


@pytest.mark.parametrize("jobs", [("test-a",), ()], ids=["unknown to the state", "noted in it"])
def test_a_pending_cluster_is_given_up_and_the_first_one_goes_on(jobs: tuple[str, ...]) -> None:
    service = live(B, pending="second", jobs=jobs)
    done = back(service, A)
    assert (service.active, service.pending) == ("first", "")
    assert service.manifest["spec"] == A["spec"]
    # The models of B never come to the cluster that answers.
    assert set(service.submitted) == {A["spec"]["serveConfigV2"]}
    assert done.handed_over == []
    assert "(second) that an earlier update began is given up" in done.said[0]


def test_only_if_the_engine_may_leave_the_object_alone_is_its_smoke_test_put_back() -> None:
    unknown, noted = live(B, pending="second", jobs=("test-a",)), live(B, pending="second")
    back(unknown, A)
    back(noted, A)
    assert unknown.manifest["metadata"]["annotations"][JOB] == "test-a"
    # Until the engine has written it, it is nobody's.
    assert JOB not in noted.manifest["metadata"]["annotations"]


def test_a_patch_that_kuberay_has_not_seen_yet_is_taken_back() -> None:
    service = live(B, jobs=("test-a",))
    back(service, A)
    assert service.manifest == A
    assert service.started == []


def test_a_way_back_that_was_killed_itself_is_ended_by_the_next() -> None:
    # The spec was put back, and KubeRay's third cluster was not dropped yet.
    service = live(A, pending="third", jobs=("test-a",))
    service.clusters["third"] = cluster_spec("image:a")
    back(service, A)
    assert (service.active, service.pending) == ("first", "")


def test_a_third_revision_gives_it_up_too_and_leaves_its_models_to_the_hand_over() -> None:
    service = live(B, pending="second")
    back(service, A_MODEL_EDITED)
    assert service.pending == ""
    assert service.manifest["spec"]["rayClusterConfig"] == cluster_spec("image:a")
    assert set(service.submitted) == {A["spec"]["serveConfigV2"]}


def test_without_a_look_at_ray_serve_a_third_revision_changes_nothing_beforehand() -> None:
    service = live(B, pending="second", asks=False)
    back(service, A_MODEL_EDITED)
    assert service.version == 0


def test_without_a_look_at_ray_serve_the_way_back_writes_what_was_deployed() -> None:
    service = live(B, pending="second", asks=False, jobs=("test-a",))
    back(service, A)
    assert (service.manifest, service.pending) == (A, "")


def test_a_second_cluster_that_has_taken_over_is_left_by_another_one() -> None:
    service = live(B, active="second", jobs=("test-a",), takes_over=True)
    done = back(service, A)
    assert service.manifest == A
    assert len(service.started) == 1
    assert service.active == service.started[0]
    assert done.handed_over == []


def test_a_cluster_that_the_operator_does_not_start_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the operator takes for the wanted cluster may be none that is surely so to us."""

    class Quiet(FakeRayService):
        def _look(self) -> None:
            self.version += 1

    monkeypatch.setattr(going_back, "_SEEN_SECONDS", 0.0)
    clusters = {"second": {**cluster_spec("image:a"), "managedBy": "somebody"}}
    service = Quiet(manifest=B, active="second", clusters=clusters, jobs=("test-a",), serving="")
    back(service, A)
    assert service.manifest == A
    assert service.started == []


def test_if_it_takes_over_in_this_moment_it_is_not_dropped() -> None:
    service = live(B, pending="second", jobs=("test-a",))
    dropped: list[str] = []
    written = service.write

    def write(manifest: Any, state: Any) -> bool:
        service.active, service.pending = "second", ""
        return written(manifest, state)

    service.write = write  # type: ignore[method-assign]
    service.drop_pending = lambda state: dropped.append(state.pending) or True  # type: ignore[method-assign, assignment, func-returns-value]
    service.takes_over = True
    back(service, A)
    assert dropped == []
    assert service.clusters[service.active] == cluster_spec("image:a")


def test_models_of_an_edit_in_place_are_handed_back() -> None:
    edited = ray_service("image:a", "test-b", "chat-2")
    service = live(edited, jobs=("test-a",), serving=edited["spec"]["serveConfigV2"])
    done = back(service, A)
    assert [item["applications"][0]["name"] for item in done.handed_over] == ["chat-1"]
    assert service.manifest == A


def test_a_hand_over_that_was_killed_is_put_back() -> None:
    half = ray_service("image:a", "test-a", "chat-1", "chat-2")
    service = live(half, jobs=("test-a",))
    done = back(service, A)
    assert len(done.handed_over) == 1
    assert service.manifest == A


def test_without_the_right_to_drop_it_says_what_kuberay_does() -> None:
    service = live(B, pending="second", may_drop=False)
    done = back(service, A)
    assert done.warned == [
        "KubeRay starts one more Ray cluster and moves to it, because you may not change it"
    ]


def test_an_operator_that_starts_it_again_and_again_is_an_error() -> None:
    service = live(B, pending="second")
    service.drop_pending = lambda state: True  # type: ignore[method-assign]
    with pytest.raises(HandoverError, match="again and again"):
        back(service, A)


def test_a_concurrent_change_is_read_again_before_it_is_written_over() -> None:
    service = live(B, pending="second", jobs=("test-a",))
    written, tries = service.write, []

    def write(manifest: Any, state: Any) -> bool:
        tries.append(state.version)
        if len(tries) == 1:
            service.version += 1
        return written(manifest, state)

    service.write = write  # type: ignore[method-assign]
    back(service, A)
    assert tries[:2] == ["0", "1"]
    assert service.manifest == A
