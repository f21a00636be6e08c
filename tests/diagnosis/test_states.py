"""The table of models, on constructed snapshots."""

from dataclasses import replace
from typing import Any

from diagnosis import Part, Unseen, model_states
from tests.diagnosis.snapshots import (
    WORKER,
    changed,
    failing,
    pending,
    replica,
    small_plan,
    well,
    with_pod,
)
from tests.diagnosis.test_judgement import (
    ELSEWHERE,
    GATED,
    NO_NODE,
    SMALL_CACHE,
    UNHEALTHY,
    lost,
    starting,
)


def test_each_model_has_its_state_replicas_node_and_age() -> None:
    chat, rare = model_states(well(), small_plan())
    assert (chat.model, chat.state, chat.running, chat.nodes) == (
        "chat",
        "running",
        1,
        ("gke-l4-1",),
    )
    assert chat.age_seconds == 7200
    assert (rare.state, rare.running, rare.least, rare.most) == ("asleep", 0, 0, 2)


def test_the_last_error_is_the_engine_s_own() -> None:
    [chat, _] = model_states(failing(GATED), small_plan())
    assert chat.state == "deploy failed"
    assert "gated repo" in chat.error
    [chat, _] = model_states(failing(ELSEWHERE, log=SMALL_CACHE), small_plan())
    assert chat.error.startswith("ValueError: To serve at least one request")


def test_a_model_that_waits_for_a_node_says_so() -> None:
    snapshot = starting(3)
    waits = with_pod(snapshot, WORKER, pending(dict(snapshot.pods[1]), NO_NODE, minutes=3))
    assert model_states(waits, small_plan())[0].state == "waits for a node"
    assert model_states(snapshot, small_plan())[0].state == "deploying (3 min)"
    snapshot = failing(UNHEALTHY, "UNHEALTHY")
    waits = with_pod(snapshot, WORKER, pending(dict(snapshot.pods[1]), NO_NODE, minutes=3))
    assert model_states(waits, small_plan())[0].state == "waits for a node"
    assert model_states(snapshot, small_plan())[0].state == "unhealthy"


def test_a_replica_that_has_a_node_does_not_wait_with_another_s_pod() -> None:
    assert model_states(lost(state="STARTING"), small_plan())[0].state == "unhealthy"


def test_a_replica_that_stops_does_not_start() -> None:
    def stop(serve: Any) -> None:
        for item in serve["applications"].values():
            if item["route_prefix"] == "/chat":
                item["deployments"]["LLMServer:chat"]["replicas"] = [replica(state="STOPPING")]

    [chat, _] = model_states(changed(well(), "serve", stop), small_plan())
    assert (chat.state, chat.starting) == ("asleep", 0)


def test_what_ray_serve_does_not_say_is_unknown_and_what_it_lacks_is_not_deployed() -> None:
    silent = replace(well(), serve=None, unseen=(Unseen(part=Part.SERVE, why="late"),))
    assert {state.state for state in model_states(silent, small_plan())} == {"unknown"}
    empty = replace(well(), serve={"applications": {}})
    assert {state.state for state in model_states(empty, small_plan())} == {"not deployed"}
