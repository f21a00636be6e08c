"""What people read of a pool with several ways to pay."""

import json
from typing import Any

from planning import Plan
from reports.difference import difference
from reports.difference_markdown import difference_markdown
from reports.plan_data import PlanSummary, plan_summary
from reports.plan_markdown import plan_markdown
from reports.plan_reading import summary_of_json
from reports.plan_text import plan_text
from reports.pull_request_comment import CommentContent, comment
from reports.rollout import Rollout
from tests.planning.small_stacks import planned, small

PRICES = {"l4": {"onDemand": 1.0, "spot": 0.4}}


def plan_of(*ways: Any) -> Plan:
    pool: dict[str, Any] = {"tier": "l4", "maxNodes": 4}
    if ways:
        pool["capacity"] = list(ways)
    zones = {"name": "llm", "zones": ["us-central1-a", "us-central1-c"]}
    model = small("l4", replicas={"min": 1, "max": 2})
    return planned([model], gpuPools=[pool], cluster=zones, prices=PRICES)


def summary(*ways: Any) -> PlanSummary:
    return plan_summary(plan_of(*ways))


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_stack_without_capacity_says_nothing_of_it() -> None:
    plain = summary()
    assert plain == summary("on-demand")
    text = plan_text(plain)
    assert "paid as" not in text
    assert "cheapest" not in text
    assert not {"ways", "capacity", "computeClass"} & set(plain["gpuPools"][0])


def test_the_plan_shows_the_ways_in_their_order_and_the_range_of_the_cost() -> None:
    text = plan_text(summary("spot", "on-demand"))
    rows = [line.split() for line in text.splitlines()]
    assert ["l4:", "spot", "l4-spot", "a,", "c", "4", "0.9", "0.40"] in rows
    assert ["then", "on-demand", "l4", "a,", "c", "4", "0.4", "1.00"] in rows
    (cheapest,) = (row for row in rows if row[:3] == ["total,", "cheapest", "ways"])
    (dearest,) = (row for row in rows if row[:3] == ["total,", "dearest", "ways"])
    total = next(row for row in rows if row[:1] == ["total"])
    typical = [float(row[-2].replace(",", "")) for row in (cheapest, total, dearest)]
    assert typical[0] < typical[1] < typical[2]
    assert "70 % come, the rest by the next way" in words(text)
    assert "paid as" in plan_markdown(summary("spot", "on-demand"), brief=True)


def test_a_node_that_ends_is_told_with_its_cold_starts_a_month() -> None:
    text = words(plan_text(summary({"flexStart": "7d"}, "on-demand")))
    assert "A replica on l4 by flexStart 7d starts anew 4.3 times a month" in text
    assert "qwen2.5-0.5b-instruct takes 6 to 17 minutes" in text
    assert "≤ 1.00" in text
    daily = words(plan_text(summary({"flexStart": "24h"}, "on-demand")))
    assert "by flexStart 1d starts anew 30.4 times a month" in daily


def test_the_comment_says_between_what_the_month_lies() -> None:
    said = comment(CommentContent(stack="test", new=summary("spot", "on-demand")))
    assert "by the ways in which nodes come)" in said
    assert (
        "by the ways" not in comment(CommentContent(stack="test", new=summary())).split("\n\n")[2]
    )


def test_the_data_is_read_again() -> None:
    data = summary({"flexStart": "7d"}, "spot")
    assert summary_of_json(json.dumps(data), "here") == data


def test_a_difference_tells_the_first_list_from_another_order_and_a_way_that_goes() -> None:
    def rollout(old: PlanSummary, new: PlanSummary) -> set[Rollout]:
        found = difference(old, new)
        return {change.rollout for pool in found.pools_changed for change in pool.changes}

    two, three = summary("on-demand", "spot"), summary("on-demand", "spot", {"flexStart": "7d"})
    assert rollout(summary(), two) == {Rollout.SECOND_CLUSTER, Rollout.AT_ONCE}
    assert rollout(two, summary("spot", "on-demand")) == {Rollout.AT_ONCE}
    assert rollout(two, three) == {Rollout.AT_ONCE}
    assert rollout(three, two) == {Rollout.NODES}
    flex = summary({"flexStart": "7d"})
    assert Rollout.POOL_REPLACED in rollout(flex, summary({"flexStart": "6d"}))
    text = difference_markdown(difference(two, three))
    assert "capacity on-demand, spot → on-demand, spot, flexStart 7d" in text
