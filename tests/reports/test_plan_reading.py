"""A plan that is only data is read, or refused in one sentence."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from reports.difference import difference
from reports.difference_markdown import difference_markdown
from reports.plan_data import plan_summary
from reports.plan_reading import summary_of_json
from reports.sources import SourceError
from tests.planning.small_stacks import planned, small

PLAN: Any = json.loads(json.dumps(plan_summary(planned([small()], versions={"ray": "2.60.0"}))))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from places(item, (*path, key))


def changed(path: tuple[Any, ...], odd: Any) -> str:
    plan = copy.deepcopy(PLAN)
    inner = plan
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return json.dumps(plan)


@pytest.mark.parametrize(
    "odd", [None, True, "x", [], {}, [1], {"a": 1}, float("inf"), 10**400, -1e308, "\ud800"]
)
def test_no_odd_value_anywhere_is_a_traceback(odd: Any) -> None:
    for path in list(places(PLAN))[1:]:
        try:
            read = summary_of_json(changed(path, odd), "plan.json")
        except SourceError:
            continue
        for old, new in ((read, PLAN), (PLAN, read)):
            difference_markdown(difference(old, new)).encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(("models", 0, "replicas"), "x"), r"models\[0\]\.replicas has another form"),
        (changed(("versions",), {"opensesame": 1}), r"versions\[\.\.\.\] has another form"),
        (changed(("version",), 99), "form 99, here 1"),
        ("1" * 5000, "too many digits"),
        (changed(("stack",), "\ud800"), "no Unicode"),
    ],
)
def test_a_plan_of_another_form_is_refused_by_its_place(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        summary_of_json(text, "plan.json")


def test_what_outputs_leave_out_is_not_missed() -> None:
    plan = copy.deepcopy(PLAN)
    for key in ("task", "taskPath", "quantization"):
        del plan["models"][0][key]
    del plan["cluster"]["network"]
    read = summary_of_json(json.dumps(plan), "plan.json")
    assert difference(read, PLAN).is_empty
