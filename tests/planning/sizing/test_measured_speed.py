"""A measurement is used as long as all that the speed depends on is as it was measured."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.measurements import measurement_path
from planning import Plan, speed_conditions
from reports.plan_data import plan_summary
from reports.plan_markdown import plan_markdown
from reports.plan_reading import summary_of_json
from reports.plan_text import plan_text
from reports.sources import plan_of_file
from tests.planning.small_stacks import small, values, write_stack

Planned = Callable[..., Plan]
LEVEL = {
    "requests": 40,
    "timeToFirstToken": {"median": 0.1, "p95": 0.25},
    "interToken": {"median": 0.01, "p95": 0.02},
}


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    def plan(**fields: Any) -> Plan:
        stack = values([small(name="chat", **fields)], gpuPools=["l4", {"tier": "l4-x2"}])
        return plan_of_file(write_stack(tmp_path, "prod", stack))

    return plan


@pytest.fixture
def measured(tmp_path: Path, planned: Planned) -> Callable[..., None]:
    def write(**changes: Any) -> None:
        plan = planned()
        model = plan.models[0]
        content = {
            "version": 1,
            "measured": date(2026, 11, 29),
            "model": "chat",
            "replicas": 2,
            "promptTokens": 250.0,
            "outputTokens": 128.0,
            "conditions": speed_conditions(model, plan.pool(model.pool), plan.release),
            "levels": [
                {**LEVEL, "requestsAtOnce": 1, "outputTokensPerSecond": 100.0},
                {**LEVEL, "requestsAtOnce": 32, "outputTokensPerSecond": 2000.0},
            ],
            **changes,
        }
        path = measurement_path(tmp_path, "prod", "chat")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")

    return write


def test_without_a_measurement_the_plan_says_nothing_of_speed(planned: Planned) -> None:
    plan = planned(load={"outputTokensPerSecond": 3000})
    assert plan.speeds == {}
    summary = plan_summary(plan)
    assert "speed" not in summary["models"][0]
    text = " ".join(plan_text(summary).split())
    assert "measured" not in text
    assert "chat: how many replicas 3,000 output tokens a second take is not known before" in text


def test_a_million_tokens_cost_what_the_replicas_cost_while_they_write_them(
    planned: Planned, measured: Callable[..., None]
) -> None:
    measured()
    plan = planned()
    speed = plan.speeds["chat"]
    price = plan.pool("l4").node_usd_per_hour
    assert price is not None
    assert speed.changed == ()
    # 1,000 tokens a second of one replica: a million take 1,000 s.
    assert speed.usd_per_million_tokens[32] == pytest.approx(price * 1000 / 3600)
    assert speed.usd_per_million_tokens[1] == pytest.approx(price * 20000 / 3600)


def test_a_replica_on_a_part_of_a_node_costs_that_part(
    planned: Planned, measured: Callable[..., None], tmp_path: Path
) -> None:
    measured()
    plan = planned(gpu="l4-x2")
    model = plan.models[0]
    conditions = speed_conditions(model, plan.pool("l4-x2"), plan.release)
    measured(conditions=conditions)
    plan = planned(gpu="l4-x2")
    price = plan.pool("l4-x2").node_usd_per_hour
    assert price is not None
    assert plan.speeds["chat"].usd_per_million_tokens[32] == pytest.approx(
        price / Decimal(2) * 1000 / 3600
    )


@pytest.mark.parametrize(
    ("load", "replicas", "said"),
    [
        (1000, 1, "1,000 output tokens a second take 1 replica."),
        (1001, 2, "1,001 output tokens a second take 2 replicas."),
        (9000, 9, "9,000 output tokens a second take 9 replicas, more than its maximum of 2."),
    ],
)
def test_replicas_at_a_stated_load(
    planned: Planned, measured: Callable[..., None], load: float, replicas: int, said: str
) -> None:
    measured()
    plan = planned(load={"outputTokensPerSecond": load})
    assert plan.speeds["chat"].replicas_at_load == replicas
    assert said in " ".join(plan_text(plan_summary(plan)).split())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"gpu": "l4-x2"}, "machineType"),
        ({"engine": {"max_num_seqs": 16}}, "engine.max_num_seqs"),
        ({"engine": {"enable_prefix_caching": False}}, "engine.enable_prefix_caching"),
        ({"contextLength": 2048}, "engine.max_model_len"),
        ({"model": "qwen2.5-1.5b-instruct"}, "source"),
        ({"profile": "memory"}, "engine.enforce_eager"),
    ],
)
def test_another_engine_or_gpu_makes_it_out_of_date(
    planned: Planned, measured: Callable[..., None], change: dict[str, Any], name: str
) -> None:
    measured()
    plan = planned(**change, load={"outputTokensPerSecond": 10})
    speed = plan.speeds["chat"]
    assert name in speed.changed
    assert (speed.usd_per_million_tokens, speed.replicas_at_load) == ({}, None)
    summary = plan_summary(plan)
    text = " ".join(plan_text(summary).split())
    assert "chat: the measurement of 2026-11-29 is out of date and not used, because of" in text
    assert "`ray-llm measure chat --stack prod`" in text
    assert "tokens/s" not in text
    assert summary["models"][0]["speed"]["levels"] == []


def test_another_number_of_replicas_or_another_price_does_not(
    planned: Planned, measured: Callable[..., None]
) -> None:
    measured()
    assert planned(replicas={"min": 3, "max": 9}).speeds["chat"].changed == ()


def test_every_form_of_the_plan_shows_it(planned: Planned, measured: Callable[..., None]) -> None:
    import json

    measured()
    summary = plan_summary(planned())
    assert "chat 1 100 100-250 ms 10-20 ms" in " ".join(plan_text(summary).split())
    assert "| chat | 1 | 100 | 100-250 ms | 10-20 ms |" in plan_markdown(summary)
    assert summary_of_json(json.dumps(summary), "plan.json") == summary


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no measurement"),
        ("[", "is no YAML"),
        ("version: 2", "is no measurement (version"),
        ("version: 1\nlevels: []", "is no measurement"),
        ("- 1", "is no measurement"),
        ("\0", "is no YAML"),
        ("a: 1\n" * 100_000, "is too large"),
    ],
)
def test_a_file_that_is_no_measurement_is_a_warning(
    planned: Planned, measured: Callable[..., None], tmp_path: Path, text: str, why: str
) -> None:
    measured()
    measurement_path(tmp_path, "prod", "chat").write_text(text, encoding="utf-8")
    plan = planned()
    (warning,) = plan.warnings
    assert warning.rule == "measurement-unreadable"
    assert why in warning.sentence()
    assert plan.speeds == {}


def test_a_folder_in_place_of_the_file_is_a_warning(planned: Planned, tmp_path: Path) -> None:
    measurement_path(tmp_path, "prod", "chat").mkdir(parents=True)
    (warning,) = planned().warnings
    assert "cannot be read (Is a directory)" in warning.sentence()
