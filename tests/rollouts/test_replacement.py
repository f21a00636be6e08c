"""What people read of another cluster or another service."""

from dataclasses import replace
from typing import Any

import pytest

from models.problems import Severity
from models.stack import RolloutStrategy
from rollouts import (
    Policy,
    PoolRoom,
    Room,
    ServiceFields,
    cluster_problem,
    cluster_sentence,
    service_fields,
    service_problems,
    service_sentence,
)
from tests.rollouts.quotas import l4_gpus

CLUSTER = {
    "project": "acme-ml",
    "name": "llm",
    "location": "us-central1",
    "existing": False,
    "network": None,
    "subnetwork": None,
    "protected": True,
}
POOL = PoolRoom(id="l4", path="ray-llm:gpuPools[0]", nodes=2, max_nodes=3)
ROOM = Room(pools=(POOL,), quotas=())


def fields(name: str, room: Room = ROOM) -> ServiceFields:
    return service_fields(name, "llm-serving", room, smoke_test="llm-smoke-1")


SERVICE = fields("llm")


@pytest.mark.parametrize("key", sorted(CLUSTER.keys() - {"existing", "protected"}))
def test_a_cluster_with_another_identity_is_another_cluster(key: str) -> None:
    new = {**CLUSTER, key: "other"}
    sentence = cluster_sentence(CLUSTER, new)
    assert sentence is not None
    assert sentence.warns
    assert "The GKE cluster llm is deleted with everything in it" in sentence.text
    problem = cluster_problem(CLUSTER, new)
    assert problem is not None
    assert problem.rule == "cluster-replaced"
    assert "write deletionProtection: false in an `up` of its own first" in problem.remedy


def test_a_created_cluster_that_is_to_be_adopted_would_be_deleted() -> None:
    new = {**CLUSTER, "existing": True}
    sentence, problem = cluster_sentence(CLUSTER, new), cluster_problem(CLUSTER, new)
    assert sentence is not None
    assert "because ray-llm:cluster.existing changes" in sentence.text
    assert problem is not None
    assert problem.path == "ray-llm:cluster.existing"
    assert "No cluster of that name is left" in sentence.text
    other = cluster_sentence(CLUSTER, {**new, "name": "shared"})
    assert other is not None
    assert "The models start in shared, which others own." in other.text


def test_what_counts_is_the_protection_that_the_state_has() -> None:
    new = {**CLUSTER, "name": "other", "protected": False}
    assert cluster_problem(CLUSTER, new) is not None
    assert cluster_problem({**CLUSTER, "protected": False}, new) is None


def test_an_adopted_cluster_is_left_and_not_deleted() -> None:
    old = {**CLUSTER, "existing": True}
    new = {**old, "name": "other"}
    sentence = cluster_sentence(old, new)
    assert sentence is not None
    assert "which stays as it is" in sentence.text
    assert cluster_problem(old, new) is None


@pytest.mark.parametrize("old", [CLUSTER, {"name": "llm"}, {}])
def test_nothing_is_said_of_a_cluster_that_stays_or_of_what_is_not_known(
    old: dict[str, Any],
) -> None:
    assert cluster_sentence(old, dict(CLUSTER)) is None
    assert cluster_problem(old, dict(CLUSTER)) is None


def test_a_service_under_another_name_starts_beside_the_old_one() -> None:
    sentence = service_sentence(SERVICE, fields("chat"))
    assert sentence is not None
    assert sentence.text.startswith(
        "The service llm-serving in the namespace llm becomes llm-serving in the namespace chat:"
    )
    assert "takes the GPUs twice" in sentence.text


def test_a_service_under_another_name_needs_room_unless_this_one_change_is_allowed() -> None:
    new = fields("chat")
    [problem] = service_problems(SERVICE, new, ROOM, Policy())
    assert "is below the 4 nodes of l4" in problem.reason
    id_ = problem.remedy.partition("{allow: ")[2].partition("}")[0]
    # The state's numbers are all of one kind.
    noted = {**SERVICE, "nodes": {"l4": 2.0}}
    [allowed] = service_problems(noted, new, ROOM, Policy(allow=(id_,)))
    assert allowed.severity is Severity.WARN
    # Another edit beside the same name is another change.
    [other] = service_problems(
        noted, {**new, "smokeTest": "smoke-test-2"}, ROOM, Policy(allow=(id_,))
    )
    assert other.severity is Severity.STOP
    enough = Room(pools=(replace(POOL, max_nodes=4),), quotas=())
    assert service_problems(SERVICE, new, enough, Policy()) == ()


def test_a_service_whose_models_sleep_needs_no_gpu_twice() -> None:
    asleep = Room(pools=(replace(POOL, nodes=0),), quotas=())
    sentence = service_sentence(SERVICE, fields("chat", asleep))
    assert sentence is not None
    assert "needs no GPU until a request comes" in sentence.text


def test_a_pool_that_goes_with_the_name_counts_until_the_end() -> None:
    quota = l4_gpus(4)
    small = replace(POOL, nodes=1, max_nodes=9)
    l4_x2 = replace(small, id="l4-x2")
    old = Room(pools=(small, l4_x2), quotas=(replace(quota, of_node={"l4": 1, "l4-x2": 3}),))
    new = Room(pools=(small,), quotas=(quota,))
    assert service_problems(fields("llm", new), fields("chat", new), new, Policy()) == ()
    [problem] = service_problems(fields("llm", old), fields("chat", new), new, Policy())
    assert "is below the 5 that" in problem.reason


def test_a_strategy_in_place_refuses_another_service() -> None:
    new = fields("chat")
    policy = Policy(strategy=RolloutStrategy.IN_PLACE_ONLY)
    enough = Room(pools=(replace(POOL, max_nodes=4),), quotas=())
    assert [problem.rule for problem in service_problems(SERVICE, new, enough, policy)] == [
        "second-cluster-refused"
    ]


@pytest.mark.parametrize("old", [SERVICE, {}, {"service": None}, {"smokeTest": "smoke-test-1"}])
def test_nothing_is_said_of_a_service_that_stays_or_was_not_noted(old: dict[str, Any]) -> None:
    assert service_sentence(old, dict(SERVICE)) is None
    assert service_problems(old, dict(SERVICE), ROOM, Policy()) == ()
