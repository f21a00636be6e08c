"""Whether a second Ray cluster finds room beside the first."""

import pytest

from rollouts import PoolRoom, QuotaRoom, Room, shortages

POOL = PoolRoom(id="l4", path="ray-llm:gpuPools[0]", nodes=2, max_nodes=3)


def room(*, limit: int | None = None, both: int = 4, **changes: int) -> Room:
    values = {"nodes": POOL.nodes, "max_nodes": POOL.max_nodes, **changes}
    pool = PoolRoom(id=POOL.id, path=POOL.path, **values)
    quota = QuotaRoom(metric="NVIDIA_L4_GPUS", both=both, limit=limit)
    return Room(pools=(pool,), quotas=(quota,))


def rules(running: int, of: Room) -> list[str]:
    return [problem.rule for problem in shortages({"l4": running}, of)]


@pytest.mark.parametrize(
    ("running", "nodes", "max_nodes", "short"),
    [
        (2, 2, 3, True),
        (2, 2, 4, False),
        (0, 2, 3, False),  # the first cluster sleeps
        (2, 0, 3, False),  # the second one does
        (3, 1, 3, True),
        (2, 5, 3, False),  # too small for one of them: pool-below-minimum says so
    ],
)
def test_a_pool_needs_room_for_both_clusters(
    running: int, nodes: int, max_nodes: int, short: bool
) -> None:
    found = rules(running, room(nodes=nodes, max_nodes=max_nodes))
    assert found == (["pool-below-upgrade"] if short else [])


def test_the_sentence_has_a_number_that_suffices() -> None:
    [problem] = shortages({"l4": 2}, room())
    assert problem.sentence().startswith("ray-llm:gpuPools[0].maxNodes: 3 is below the 4 nodes")
    assert "Use 4, or lower replicas.min in an `up` of its own beforehand" in problem.sentence()
    assert rules(2, room(max_nodes=4)) == []


@pytest.mark.parametrize(("limit", "short"), [(3, True), (4, False), (None, False)])
def test_a_quota_that_is_given_needs_room_for_both_clusters(limit: int | None, short: bool) -> None:
    found = rules(2, room(limit=limit, max_nodes=9))
    assert found == (["quota-below-upgrade"] if short else [])


def test_a_quota_is_not_judged_by_twice_the_new_minima_if_the_old_ones_are_lower() -> None:
    assert rules(1, room(limit=3, max_nodes=9)) == []


def test_a_pool_that_is_new_needs_room_for_one_cluster() -> None:
    assert shortages({}, room(limit=3)) == ()
