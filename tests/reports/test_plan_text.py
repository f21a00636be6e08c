"""The plan as text, as Markdown and as data: all three have the same content."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from planning.plan import GIB
from reports.plan_data import PlanSummary, plan_summary
from reports.plan_markdown import plan_markdown
from reports.plan_tables import plan_tables
from reports.plan_text import plan_text
from tests.planning.small_stacks import planned, small, two_gpus

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def summary(models: list[Any], **keys: Any) -> PlanSummary:
    """The summary of a plan, read back from JSON as from a stack output."""
    made: PlanSummary = json.loads(json.dumps(plan_summary(planned(models, **keys))))
    return made


NIGHTS = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}
STACKS: list[dict[str, Any]] = [
    {"models": [small(), two_gpus(name="b")], "gpuPools": ["l4", "l4-x2"]},
    {
        "models": [small("l4-spot", replicas={"min": 0, "max": 3}), small("l4-x4", name="c")],
        "gpuPools": [{"tier": "l4", "spot": True}, "l4-x4"],
        "quotas": {"NVIDIA_L4_GPUS": 4000},
        "prices": {"l4": {"onDemand": 0.95, "spot": 0.35}},
    },
    {
        "models": [small()],
        "gpuPools": [{"tier": "l4", "zones": ["africa-south9-a"]}],
        "region": "africa-south9",
    },
    {"models": [small(), small(name="b")], "gpuPools": ["l4"], "offHours": [NIGHTS]},
]


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def written(value: Any) -> Iterator[str]:
    """All forms in which a value may be shown."""
    if isinstance(value, str):
        yield from NUMBER.findall(value)
    elif isinstance(value, int | float):
        yield from (str(value), f"{value:,.0f}", f"{value:.0f}", f"{value:.2f}")
        yield f"{value / GIB:.1f}"
        yield f"{value * 100:.0f}"  # a share in percent


@pytest.mark.parametrize("stack", STACKS)
def test_every_figure_of_the_text_is_in_the_data(stack: dict[str, Any]) -> None:
    data = summary(**stack)
    known = {form for leaf in leaves(data) for form in written(leaf)}
    known.add(str(len(data["models"])))
    stays = [model["nodeStaysSeconds"] for model in data["models"]]
    known |= {f"{seconds / 60:.0f}" for seconds in stays if seconds is not None}
    assert set(NUMBER.findall(plan_text(data))) <= known


@pytest.mark.parametrize("stack", STACKS)
def test_text_and_markdown_hold_the_same_tables(stack: dict[str, Any]) -> None:
    data = summary(**stack)
    text, markdown = plan_text(data), plan_markdown(data).replace("\\*", "*")
    for table in plan_tables(data):
        for cell in (*table.columns, *(cell for row in table.rows for cell in row.cells)):
            assert cell in text
            assert cell in markdown


def test_a_total_without_every_price_says_so() -> None:
    data = summary(**STACKS[2])
    assert "total (known prices)" in plan_text(data)
    assert "**total (known prices)**" in plan_markdown(data)


def test_a_model_whose_memory_is_not_checked_has_no_memory_figures() -> None:
    own = {"source": "acme/own", "gpu": "l4", "checkFit": False, "contextLength": 4096}
    data = summary([own], gpuPools=["l4"])
    assert data["models"][0]["memory"] is None
    assert plan_text(data).count("unchecked") == 6


def test_long_names_keep_the_text_narrow() -> None:
    name = "a-rather-long-name-of-a-model-" + "x" * 25
    text = plan_text(summary([small(name=name)], gpuPools=["l4"]))
    assert max(map(len, text.splitlines())) <= 100


def test_off_hours_are_shown_with_what_they_save() -> None:
    plan = summary([small(name="a"), small(name="b")], offHours={**NIGHTS, "models": ["a"]})
    text = plan_text(plan)
    assert re.search(r"a +0 20 \* \* 1-5 to 0 7 \* \* 1-5, Europe/Berlin +103 +448", text)
    assert re.search(r"off-hours +-[0-9,]+ +-[0-9,]+ +0\n", text)
    assert [model["offHours"] is None for model in plan["models"]] == [False, True]
    assert "off-hours" not in plan_text(summary([small(name="a")])).lower()


@pytest.mark.parametrize(
    ("pool", "stays"),
    [
        ({}, "25 min"),
        ({"idleTimeoutSeconds": 20}, "20 min"),
        ({"minNodes": 1}, "always"),
    ],
)
def test_the_plan_says_how_long_a_node_stays_at_night(pool: dict[str, Any], stays: str) -> None:
    data = summary(models=[small()], gpuPools=[{"tier": "l4", **pool}], offHours=[NIGHTS])
    [row] = [line for line in plan_text(data).splitlines() if NIGHTS["timeZone"] in line]
    assert row.rstrip().endswith(stays)


def test_a_node_on_which_another_model_stays_awake_stays() -> None:
    nights = {**NIGHTS, "models": ["a"]}
    models = [small("l4-x2", name=name) for name in "ab"]
    data = summary(models=models, gpuPools=["l4-x2"], offHours=[nights])
    assert [model["nodeStaysSeconds"] for model in data["models"]] == [None, None]
