"""What is said of models whose first request may wait for longer than its client."""

from typing import Any

from reports.plan_data import plan_summary
from reports.plan_markdown import plan_markdown
from reports.plan_text import plan_text
from tests.planning.small_stacks import planned, small

NIGHTS = {"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin"}
LARGE = {"model": "llama-3.3-70b-instruct", "gpu": "a100-80gb-x2"}
POOLS: list[Any] = ["l4", "a100-80gb-x2"]
TOKEN = {"existingSecret": "hub"}


def said(*models: dict[str, Any], **keys: Any) -> str:
    """The warning about cold starts; empty without one."""
    keys = {"gpuPools": POOLS, "huggingFaceToken": TOKEN, **keys}
    plan = planned([*models], **keys)
    found = [problem for problem in plan.warnings if problem.rule == "cold-start-timeout"]
    return "\n".join(problem.sentence() for problem in found)


def test_weights_that_take_longer_than_clients_wait_are_warned_of_if_the_model_sleeps() -> None:
    text = said({**LARGE, "replicas": {"min": 0, "max": 1}})
    assert "first request after that waits for at least 13 minutes" in text
    assert "Use replicas.min: 1 (+" in text
    assert "let clients wait for half an hour" in text


def test_a_model_that_keeps_a_replica_or_starts_sooner_is_not() -> None:
    assert said({**LARGE, "replicas": {"min": 1, "max": 1}}) == ""
    assert said(small("l4", replicas={"min": 0, "max": 1})) == ""


def test_a_night_counts_as_sleep() -> None:
    awake = {**LARGE, "replicas": {"min": 1, "max": 1}}
    both = said(awake, small("l4", replicas={"min": 1, "max": 1}), offHours=NIGHTS)
    assert "models[0]" in both
    assert "models[1]" not in both
    assert "offHours.models: [" in both
    assert "Leave offHours out" in said(awake, offHours=NIGHTS)
    # A window for a model that sleeps at any hour would change nothing.
    sleeper = small("l4", replicas={"min": 0, "max": 1})
    assert "Leave offHours out" in said(awake, sleeper, offHours=NIGHTS)


def test_what_the_service_itself_does_not_wait_for_is_said_so() -> None:
    huge = {
        "source": "acme/huge",
        "gpu": "h200-141gb-x8-spot",
        "tensorParallelSize": 8,
        "contextLength": 4096,
        "checkFit": False,
        "weightGib": 800,
        "replicas": {"min": 0, "max": 1},
    }
    text = said(
        huge, gpuPools=[{"tier": "h200-141gb-x8", "spot": True, "zones": ["us-central1-b"]}]
    )
    assert "the 30 minutes after which the service itself gives up" in text
    assert "let clients wait" not in text


def test_the_plan_shows_each_phase_and_who_may_wait_too_long() -> None:
    models = [small("l4", replicas={"min": 0, "max": 1}), small("l4", name="awake")]
    summary = plan_summary(planned(models, gpuPools=POOLS))
    start = summary["models"][0]["coldStart"]
    phases = [start["node"], start["image"], start["weights"]["hub"], start["engine"]]
    phases.append(start["graphs"])
    assert start["weightsFrom"] == "hub"
    assert start["total"] == [sum(phase[end] or 0 for phase in phases) for end in (0, 1)]
    text = " ".join(plan_text(summary).split())
    assert "cold start, s node image hub bucket disk engine graphs in all" in text
    assert "The first request after sleep may wait for more than the 600 s" in text
    assert f"ask again: {summary['models'][0]['name']}. The model starts" in text
    assert "cold start, s" in plan_markdown(summary)
    assert "cold start, s" not in plan_markdown(summary, brief=True)


def test_without_a_size_there_is_no_upper_end_and_an_earlier_plan_has_no_table() -> None:
    unknown = {
        "source": "acme/any",
        "gpu": "l4",
        "contextLength": 4096,
        "checkFit": False,
        "replicas": {"min": 1, "max": 1},
    }
    summary = plan_summary(planned([unknown], gpuPools=POOLS))
    assert "-?" in plan_text(summary)
    del summary["models"][0]["coldStart"]
    assert "cold start, s" not in plan_text(summary)
