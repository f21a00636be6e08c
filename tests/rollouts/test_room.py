"""Whether a second Ray cluster finds room beside the first."""

import pytest

from rollouts import HeadRoom, PoolRoom, QuotaRoom, Room, shortages
from rollouts.room import shortages_of_head
from tests.rollouts.quotas import l4_gpus

POOL = PoolRoom(id="l4", path="ray-llm:gpuPools[0]", nodes=2, max_nodes=3)


def room(*, limit: int | None = None, others: int = 0, **changes: int) -> Room:
    values = {"nodes": POOL.nodes, "max_nodes": POOL.max_nodes, **changes}
    pool = PoolRoom(id=POOL.id, path=POOL.path, **values)
    quota = l4_gpus(limit, {"l4": 1}, others)
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


def test_a_quota_counts_the_nodes_of_every_pool() -> None:
    # The first cluster keeps one of l4 and none of l4-x2, and the second one takes one of each.
    pools = [
        PoolRoom(id=name, path=f"ray-llm:gpuPools[{place}]", nodes=1, max_nodes=4)
        for place, name in enumerate(("l4", "l4-x2"))
    ]
    quota = l4_gpus(3, {"l4": 1, "l4-x2": 2})
    of = Room(pools=tuple(pools), quotas=(quota,))
    [problem] = shortages({"l4": 1}, of)
    assert "is below the 4 that" in problem.reason
    assert "Ask Google for 4 of" in problem.remedy
    assert shortages({}, of) == ()


def test_a_quota_counts_what_a_pool_keeps_anyway() -> None:
    assert rules(1, room(limit=4, nodes=1, max_nodes=9, min_nodes=5)) == ["quota-below-upgrade"]


def test_whoever_raises_a_maximum_that_is_too_low_hears_at_once_what_the_quota_has_to_be() -> None:
    of = room(limit=3, nodes=2, max_nodes=3)
    assert rules(2, of) == ["pool-below-upgrade", "quota-below-upgrade"]
    [*_, quota] = shortages({"l4": 2}, of)
    assert "Ask Google for 4 of" in quota.remedy
    assert rules(2, room(limit=4, nodes=2, max_nodes=4)) == []


@pytest.mark.parametrize(("others", "lower"), [(2, True), (4, False)])
def test_fewer_replicas_are_offered_only_if_they_suffice(others: int, lower: bool) -> None:
    [problem] = shortages({"l4": 1}, room(limit=3, others=others, nodes=1, max_nodes=9))
    assert ("lower replicas.min" in problem.remedy) is lower


def test_the_nodes_of_a_pool_that_goes_count_until_the_end() -> None:
    of = room(limit=3, nodes=1, max_nodes=9)
    assert shortages({"l4": 1, "l4-x2": 1}, of) == ()
    whole = of.with_pools_that_go({"l4": {"NVIDIA_L4_GPUS": 9}, "l4-x2": {"NVIDIA_L4_GPUS": 2}})
    [problem] = shortages({"l4": 1, "l4-x2": 1}, whole)
    assert "is below the 4 that" in problem.reason


def test_a_head_beside_the_old_cluster_needs_quota_too() -> None:
    cpus = QuotaRoom(
        metric="CPUS",
        of_node={"l4": 4},
        others=99,
        others_of_one=8,
        others_recreating=16,
        limit=20,
    )
    gpus = l4_gpus(1)  # of which the head takes nothing
    of = Room(pools=(POOL,), quotas=(cpus, gpus))
    assert shortages_of_head({"l4": 1}, of) == ()
    [problem] = shortages_of_head({"l4": 2}, of)
    assert "20 is below the 24 that this change needs, because the head of a" in problem.sentence()


@pytest.mark.parametrize(
    ("limit", "others", "used", "more"),
    [(6, 0, {}, 6), (2, 0, {}, 4), (3, 2, {"l4-x2": 1}, 1), (1, 2, {}, 0), (4, 0, {"l4": 2}, 4)],
)
def test_a_pool_has_no_more_gpus_than_a_quota_leaves_it(
    limit: int, others: int, used: dict[str, int], more: int
) -> None:
    pools = (
        PoolRoom(id="l4-x2", path=POOL.path, nodes=1, max_nodes=3, gpus=2),
        PoolRoom(id="l4", path=POOL.path, nodes=1, max_nodes=3),
        PoolRoom(id="t4", path=POOL.path, nodes=1, max_nodes=3),
    )
    of = Room(pools=pools, quotas=(l4_gpus(limit, {"l4-x2": 1, "l4": 1}, others),))
    [quota] = of.gpu_quotas
    assert min(quota.room("l4-x2", used) or 0, 6) == more
    assert quota.room("t4", used) is None
    assert Room(pools=pools, quotas=(l4_gpus(None, {"l4": 1}),)).gpu_quotas == ()


def test_nodes_that_a_pool_keeps_anyway_leave_less_of_a_quota() -> None:
    kept = PoolRoom(id="l4-x2", path=POOL.path, nodes=1, max_nodes=3, min_nodes=1, gpus=2)
    of = Room(pools=(POOL, kept), quotas=(l4_gpus(4, {"l4": 1, "l4-x2": 2}),))
    [quota] = of.gpu_quotas
    assert quota.room("l4", {}) == 2
    assert quota.room("l4", {"l4-x2": 4}) == 0


@pytest.mark.parametrize(("nodes", "most", "short"), [(1, 1, True), (1, 2, False), (2, 1, False)])
def test_the_head_of_the_second_cluster_needs_a_node_too(
    nodes: int, most: int, short: bool
) -> None:
    head = HeadRoom(
        path="ray-llm:cluster.cpuPool", nodes=nodes, both=2, recreating=2, max_nodes=most
    )
    found = shortages({}, Room(pools=(), quotas=(), head=head))
    assert [problem.path for problem in found] == (
        ["ray-llm:cluster.cpuPool.maxNodes"] if short else []
    )


def test_a_pool_that_is_new_needs_room_for_one_cluster() -> None:
    assert shortages({}, room(limit=3)) == ()
