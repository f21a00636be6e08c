"""The estimate of checks/gateway_size.py, compared with what manifests/gateway writes."""

import pytest

from manifests.gateway.envoy_files import watched_files
from models.access import KeySettings
from planning import KeyPlan
from planning.checks.gateway_size import gateway_files_bytes
from tests.manifests.gateway.stacks import gateway_plan
from tests.manifests.plans import model
from tests.planning.small_stacks import stops

PATH = "ray-llm:access.keys"


@pytest.mark.parametrize("lora_path", [None, "gs://adapters"])
@pytest.mark.parametrize(
    ("models", "teams", "each"),
    [
        (1, 0, 0),
        (100, 0, 0),
        (100, 5, 50),
        (30, 60, 10),
        (50, 200, 10),
        (20, 10, 0),
        (100, 1000, 1),
    ],
)
def test_the_estimate_is_close_to_what_is_written(
    models: int, teams: int, each: int, lora_path: str | None
) -> None:
    names = [f"qwen2.5-7b-instruct-{number}" for number in range(models)]
    keys = [
        KeyPlan(
            team=f"team-number-{number}",
            models=tuple((names * 2)[number % models :][:each]) or None,
            requests_per_minute=60,
        )
        for number in range(teams)
    ]
    plan = gateway_plan(*keys, models=tuple(model(name, lora_path=lora_path) for name in names))
    assert plan.access is not None
    written = sum(len(text.encode()) for text in watched_files(plan, plan.access).values())
    settings = {key.team: KeySettings(models=key.models) for key in keys}
    estimate = gateway_files_bytes(plan.models, settings, limited=True)
    assert estimate == pytest.approx(written, rel=0.1)


def test_more_than_a_config_map_holds_stops() -> None:
    names = [f"m{number}" for number in range(20)]
    access = {
        "keys": {
            f"t{number}": {
                "key": {"secure": "AAAA"},
                "models": [name for at, name in enumerate(names) if at != number % 20],
            }
            for number in range(100)
        }
    }
    models = [{"model": "qwen2.5-0.5b-instruct", "name": name} for name in names]
    found = [problem for problem in stops(models, access=access) if problem.path == PATH]
    assert [problem.rule for problem in found] == ["config-map-size"]
