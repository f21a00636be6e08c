"""Ways out are tried: what leads into the next stop is not shown, the cheapest comes first."""

from collections.abc import Mapping
from typing import Any

import pytest

from models.problems import Problem, StackError
from models.reading import Reading, reading_of
from models.stack import ClusterSettings, GpuPoolSettings, ModelDeployment, StackSettings, Versions
from models.ways_out import TriedWayOut, WayOut, use, with_edits
from planning import gpu_pools, make_plan
from planning.tried_ways import Verdict, with_tried_ways
from tests.planning.stacks import planned, reading, stack

LLAMA = {"model": "llama-3.1-8b-instruct", "gpu": "l4"}


def stops_of(values: Mapping[str, Any]) -> tuple[Problem, ...]:
    with pytest.raises(StackError) as caught:
        planned(values)
    return caught.value.problems


def ways_of(values: Mapping[str, Any], rule: str) -> tuple[TriedWayOut, ...]:
    (problem,) = [problem for problem in stops_of(values) if problem.rule == rule]
    return problem.ways


def test_a_way_out_that_meets_another_stop_is_not_shown() -> None:
    entry = {**LLAMA, "contextLength": 500_000}
    (way, *_) = ways_of(stack([entry], ["l4"], token=True), "context-beyond-model")
    assert way.words.startswith("leave it out")  # the model's own limit does not fit an L4
    roomy = stack([{**entry, "gpu": "h100-80gb-x8"}], [{"tier": "h100-80gb-x8"}], token=True)
    assert ways_of(roomy, "context-beyond-model")[0].words == "use at most 131072"


def test_whole_nodes_are_compared_and_not_prices_of_a_gpu() -> None:
    entry = {**LLAMA, "contextLength": 65536}
    values = stack([entry], ["l4"], token=True, versions={"ray": "2.49.1"})
    ways = ways_of(values, "memory-fit")
    added = [way for way in ways if "gpuPools" in way.words]
    assert len(added) == 1
    assert "-x8" not in added[0].words
    assert "-x4" not in added[0].words


def test_the_cheapest_comes_first_with_the_difference_to_it() -> None:
    entry = {**LLAMA, "contextLength": 65536}
    ways = ways_of(stack([entry], ["l4"], token=True), "memory-fit")
    costs = [way.usd_per_month for way in ways if way.usd_per_month is not None]
    assert costs == sorted(costs)
    assert len(costs) > 1
    assert ways[0].usd_per_month_more == 0
    assert ways[1].usd_per_month_more == costs[1] - costs[0]


def test_the_difference_of_a_warning_is_to_the_stack_as_it_is() -> None:
    plan = planned(
        stack([{"model": "qwen2.5-0.5b-instruct", "gpu": "a100-80gb"}], ["a100-80gb", "t4"])
    )
    (warning,) = [warning for warning in plan.warnings if warning.rule == "gpu-oversized"]
    assert warning.ways[0].edits == use("ray-llm:models[0].gpu", "t4").edits
    assert warning.ways[0].usd_per_month_more is not None
    assert warning.ways[0].usd_per_month_more < -1000


def test_a_pool_in_zones_without_its_gpu_gets_zones_of_its_own() -> None:
    cluster = {"name": "llm", "zones": ["us-central1-f"]}
    entry = {"model": "qwen2.5-7b-instruct", "gpu": "t4", "dtype": "bfloat16"}
    ways = ways_of(stack([entry], ["t4"], cluster=cluster), "bfloat16-capability")
    assert all("l4`" not in way.words for way in ways)


def test_settings_made_in_python_get_ways_out_too() -> None:
    settings = StackSettings(
        stack="dev",
        project="acme",
        region="us-central1",
        has_hugging_face_token=True,
        cluster=ClusterSettings(name="llm", zones=("us-central1-a",)),
        gpu_pools=(GpuPoolSettings(tier="l4"),),
        models=(ModelDeployment(model="llama-3.1-8b-instruct", gpu="l4", context_length=65536),),
        versions=Versions(ray="2.49.1"),
    )
    with pytest.raises(StackError) as caught:
        make_plan(reading_of(settings))
    (problem,) = caught.value.problems
    assert problem.ways[0].words == "use at most 32768"


def test_a_new_value_mends_every_problem_of_the_old_one() -> None:
    entry = {
        "model": "qwen2.5-7b-instruct",
        "gpu": "l4-x8",
        "engine": {"pipeline_parallel_size": 64},
    }
    values = stack([entry], ["l4-x8"])
    layers = ways_of(values, "pipeline-parallel-layers")
    assert [way.words for way in layers] == ["leave it out"]  # 28 layers, and 8 GPUs a node
    assert ways_of(values, "tensor-parallel-node")


@pytest.mark.parametrize(
    ("entry", "pools", "further"),
    [
        (
            {"model": "gpt-oss-120b", "gpu": "l4"},
            ["l4"],
            " and gpu: l4-x4 with `- l4-x4` in ray-llm:gpuPools",
        ),
        ({"model": "gpt-oss-120b"}, ["l4"], " and add `- l4-x4` to ray-llm:gpuPools"),
        ({"model": "gpt-oss-120b", "gpu": "l4"}, ["l4", "l4-x4"], " and gpu: l4-x4"),
    ],
)
def test_a_release_that_is_not_enough_comes_with_the_rest(
    entry: dict[str, Any], pools: list[str], further: str
) -> None:
    values = stack([entry], pools, token=True, versions={"ray": "2.49.1"})
    (way,) = ways_of(values, "architecture-unsupported")
    assert way.words == f"use versions.ray: 2.60.0{further}"
    mended = with_edits(values, way.edits)
    assert mended is not None
    assert planned(mended).models


def test_what_another_model_needs_with_the_release_is_said_of_that_model() -> None:
    entries = [{"model": "gpt-oss-20b", "gpu": "l4"}, {"model": "gpt-oss-120b", "gpu": "l4"}]
    values = stack(entries, ["l4", "l4-x4"], token=True, versions={"ray": "2.49.1"})
    first, second = stops_of(values)
    assert [way.words for way in first.ways] == [
        "use versions.ray: 2.60.0 and gpu: l4-x4 for ray-llm:models[1]"
    ]
    assert [way.words for way in second.ways] == ["use versions.ray: 2.60.0 and gpu: l4-x4"]
    for problem in (first, second):
        mended = with_edits(values, problem.ways[0].edits)
        assert mended is not None
        assert planned(mended).models


def test_a_value_that_meets_a_stop_is_replaced_and_not_said_twice() -> None:
    values = stack([{**LLAMA, "contextLength": 10**12}], ["l4"], token=True)
    (way, *_) = ways_of(values, "invalid-value")
    assert way.words == "leave contextLength out"


def test_no_way_out_is_shown_for_a_value_that_looks_like_a_token() -> None:
    token = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz"
    problems = stops_of(stack([{"model": "qwen3-4b", "name": token}], ["l4"]))
    assert [problem.ways for problem in problems] == [(), ()]


def test_what_warns_is_shown_only_if_nothing_quiet_passes() -> None:
    entry = {"model": "qwen3-4b", "gpu": "l4", "replicas": {"min": 6, "max": 2}}
    (problem,) = stops_of(stack([entry], [{"tier": "l4", "maxNodes": 5}]))
    # Six replicas need more nodes than the pool may have.
    assert [way.words for way in problem.ways] == ["use replicas.min: 2"]


def test_the_number_of_tries_has_a_bound_that_falls_with_the_models() -> None:
    def tries_with(models: int) -> int:
        entries = [{"model": "qwen3-4b", "name": f"m{number}"} for number in range(models)]
        stack_reading = reading(stack(entries, ["l4"]))
        count = 0

        def judge(_: Reading) -> Verdict:
            nonlocal count
            count += 1
            return Verdict(problems=(), cost=None)

        problem = Problem(
            path="ray-llm:models",
            reason="is wrong",
            remedy="Change it",
            rule="memory-fit",
            candidates=(use("ray-llm:loadFactor", 1) for _ in range(1000)),
        )
        with_tried_ways([problem], stack_reading, Verdict(problems=(problem,), cost=None), judge)
        return count

    assert 100 <= tries_with(1) <= 200
    assert 1 <= tries_with(1000) <= 10


def test_ways_out_in_several_steps_take_no_tries_from_other_problems() -> None:
    def problem(path: str, *ways: WayOut) -> Problem:
        return Problem(
            path=path, reason="is wrong", remedy="Change it", rule="memory-fit", candidates=ways
        )

    first = problem("ray-llm:a", *(use("ray-llm:loadFactor", 0.1) for _ in range(100)))
    budgets = (use("ray-llm:monthlyBudget", usd) for usd in range(1, 41))
    second = problem("ray-llm:b", *budgets)
    met = problem("ray-llm:c", *(use("ray-llm:accept", []) for _ in range(100)))

    def judge(changed: Reading) -> Verdict:
        values = changed.values or {}
        left = [met] if "ray-llm:loadFactor" in values else [first]
        left += [] if values.get("ray-llm:monthlyBudget") == 40 else [second]
        return Verdict(problems=tuple(left), cost=None)

    before = Verdict(problems=(first, second), cost=None)
    _, mended = with_tried_ways([first, second], reading(stack()), before, judge)
    assert [way.words for way in mended.ways] == ["use monthlyBudget: 40"]


def test_pools_alone_get_ways_out_too() -> None:
    settings = StackSettings(
        stack="dev",
        project="acme",
        region="us-central1",
        has_hugging_face_token=False,
        cluster=ClusterSettings(name="llm", zones=("us-central1-a",)),
        gpu_pools=(GpuPoolSettings(tier="nvidia-l4"),),
        models=(),
    )
    _, (problem,) = gpu_pools(settings)
    assert problem.sentence().endswith("Did you mean l4?")
