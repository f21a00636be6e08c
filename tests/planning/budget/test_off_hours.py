"""How long models sleep, and what that saves."""

from decimal import Decimal
from typing import Any

from models.catalog import prices
from planning import Plan
from planning.budget.sleep_hours import Times, first_overlap, hours_a_week, naps, shortest_nap
from tests.planning.small_stacks import planned, small

L4_HOUR = prices().hourly("l4", "us-central1")
assert L4_HOUR is not None
WEEKDAYS = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}
NIGHTLY = {"sleep": "0 20 * * *", "wake": "0 8 * * *", "timeZone": "UTC"}
# Ten minutes of the replica, five of Ray's worker, ten of GKE's autoscaler.
DELAY_HOURS = Decimal(600 + 300 + 600) / 3600


def nights(windows: Any, *models: dict[str, Any], **keys: Any) -> Plan:
    return planned([*models], gpuPools=["l4"], offHours=windows, **keys)


def test_hours_a_week_include_the_weekend() -> None:
    # 4 nights of 11 hours, and from Friday 20:00 to Monday 07:00.
    plan = nights(WEEKDAYS, small("l4"))
    assert plan.off_hours is not None
    [hours] = plan.off_hours.hours_a_week.values()
    assert abs(hours - (4 * 11 + 59)) < Decimal("0.1")


def test_changes_to_daylight_saving_time_lengthen_and_shorten_a_night() -> None:
    found = naps(Times("0 22 * * *", "0 6 * * *", "Europe/Berlin"))
    # The last one ends with the years that are counted.
    assert {(nap.end - nap.start) // 3600 for nap in found[:-1]} == {7, 8, 9}
    assert shortest_nap(Times("0 22 * * *", "0 6 * * *", "Europe/Berlin")) == 7 * 3600


def test_minimum_and_typical_month_lose_the_hours_without_nodes() -> None:
    awake = nights([NIGHTLY], small("l4", replicas={"min": 2, "max": 2}))
    whole = planned([small("l4", replicas={"min": 2, "max": 2})], gpuPools=["l4"])
    share = (12 - DELAY_HOURS) / 24
    saved = awake.cost.saved
    assert abs(saved.minimum - 2 * L4_HOUR * 730 * share) < 2
    assert saved.typical == saved.minimum
    assert saved.maximum == 0
    assert awake.cost.total.minimum == whole.cost.total.minimum - saved.minimum
    assert awake.cost.total.maximum == whole.cost.total.maximum
    assert awake.cost.pools == {
        name: pool for name, pool in awake.cost.pools.items() if pool.monthly is not None
    }


def test_workers_that_go_sooner_save_more() -> None:
    def saved(**pool: int) -> Decimal:
        pools = [{"tier": "l4", **pool}]
        model = small("l4", replicas={"min": 1, "max": 1})
        plan = planned([model], gpuPools=pools, offHours=NIGHTLY)
        return plan.cost.saved.minimum

    minutes = (saved(idleTimeoutSeconds=60) - saved()) / (L4_HOUR * 730 / 24) * 60
    assert abs(minutes - 4) < Decimal("0.2")


def test_busy_hours_beyond_those_awake_are_not_paid_for() -> None:
    # Awake for half of the time, and busy for 80 % of it without off-hours.
    plan = nights([NIGHTLY], small("l4", replicas={"min": 1, "max": 3}), loadFactor=0.8)
    pool = plan.cost.pools["l4"]
    asleep = (12 - DELAY_HOURS) / 24
    expected = (1 - asleep) + (1 - asleep) * 2
    assert abs(pool.nodes.typical - pool.nodes_asleep.typical - expected) < Decimal("0.01")


def test_a_node_stays_for_a_model_that_does_not_sleep() -> None:
    pair = [
        small("l4-x2", name="a", replicas={"min": 1, "max": 1}),
        small("l4-x2", name="b", replicas={"min": 1, "max": 1}),
    ]
    plan = planned(pair, gpuPools=["l4-x2"], offHours=[{**NIGHTLY, "models": ["a"]}])
    assert plan.cost.saved.minimum == 0
    both = planned(pair, gpuPools=["l4-x2"], offHours=[NIGHTLY])
    assert both.cost.saved.minimum > 0


def test_min_nodes_stay_at_night() -> None:
    plan = planned(
        [small("l4", replicas={"min": 1, "max": 1})],
        gpuPools=[{"tier": "l4", "minNodes": 1}],
        offHours=NIGHTLY,
    )
    assert plan.cost.saved.minimum == 0


def test_without_a_minimum_nothing_sleeps_by_a_window() -> None:
    plan = nights(NIGHTLY, small("l4", replicas={"min": 0, "max": 1}))
    assert plan.off_hours is None
    assert [warning.rule for warning in plan.warnings].count("off-hours-asleep") == 1


def test_a_budget_is_met_by_sleeping() -> None:
    whole = planned([small("l4", replicas={"min": 2, "max": 2})], gpuPools=["l4"])
    budget = int(whole.cost.total.minimum) - 100
    plan = nights(NIGHTLY, small("l4", replicas={"min": 2, "max": 2}), monthlyBudget=budget)
    assert plan.cost.total.minimum < budget


def test_windows_overlap_across_zones() -> None:
    evening = Times("0 20 * * *", "0 22 * * *", "Europe/Berlin")
    assert first_overlap(evening, Times("0 14 * * *", "0 15 * * *", "America/New_York")) is not None
    assert first_overlap(evening, Times("30 22 * * *", "0 23 * * *", "Europe/Berlin")) is None
    # One ends as the other begins.
    assert first_overlap(evening, Times("0 22 * * *", "0 23 * * *", "Europe/Berlin")) is not None


def test_a_holiday_is_counted_over_four_years() -> None:
    hours = hours_a_week([Times("0 0 24 12 *", "0 0 2 1 *", "UTC")])
    assert abs(hours * 365 / 7 - 9 * 24) < 2
