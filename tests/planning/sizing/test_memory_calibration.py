"""The memory estimate against the logs of real engines; `memory_calibration` prints a table."""

from dataclasses import replace
from pathlib import Path
from statistics import mean, median

import pytest

from models.catalog import llms
from planning import GIB
from planning.sizing.memory.cache_layers import cache_layers
from planning.sizing.memory.estimate import memory_fit, token_bytes
from planning.sizing.memory.kv_cache import kv_bytes
from tests.planning.sizing.memory_calibration import (
    Point,
    by_gpu_and_release,
    context_needs,
    held_out,
    part_errors,
    points,
    summary,
    table,
)
from tests.planning.sizing.test_memory import load_of

DOCS = Path(__file__).parents[3] / "docs" / "memory.md"
BOUND = [point for point in points() if point.bound]
WITH_KV = [point for point in BOUND if point.kv_error_gib is not None]
STARTED = [point for point in points() if {"kv", "tokens"} <= set(point.stated)]


def pads_groups(point: Point) -> bool:
    """Whether groups of layers are padded, which vLLM's count of tokens leaves out."""
    layers = cache_layers(point.inputs)
    return bool(layers.sliding % layers.group or layers.full % layers.group)


def named(point: Point) -> str:
    return point.id


def test_there_are_enough_points_of_every_kind() -> None:
    assert len(WITH_KV) >= 25
    inputs_of_points = [point.inputs for point in WITH_KV]
    assert {inputs.accounting.v0_engine for inputs in inputs_of_points} == {True, False}
    assert {inputs.tensor_parallel_size for inputs in inputs_of_points} >= {1, 2, 4, 8}
    assert {inputs.compute_capability for inputs in inputs_of_points} >= {
        (7, 5),
        (8, 0),
        (8, 6),
        (8, 9),
        (9, 0),
    }
    assert {inputs.kv_value_bytes for inputs in inputs_of_points} == {1, 2, 4}
    assert any(inputs.packed_weights for inputs in inputs_of_points)
    assert any(inputs.architecture.sliding_window for inputs in inputs_of_points)
    assert any(inputs.architecture.num_experts for inputs in inputs_of_points)


def test_nearly_every_point_has_an_address() -> None:
    """For three logs the repository that holds them is unknown."""
    without = [point.id for point in points() if not point.source.startswith("https://")]
    assert without == ["a100-40-0.10-llama-8b", "rtx4090-0.11-llama-8b", "t4-v0-qwen2.5-1.5b"]


@pytest.mark.parametrize("point", WITH_KV, ids=named)
def test_the_estimate_promises_no_more_than_its_margin(point: Point) -> None:
    """The margin covers every optimistic error, and no error is above 0.35 GiB."""
    error = point.kv_error_gib
    assert error is not None
    assert error <= point.fit.margin_bytes / GIB
    assert error <= 0.35


def test_the_error_of_kv_cache_is_small_and_mostly_pessimistic() -> None:
    errors = [point.kv_error_gib or 0.0 for point in WITH_KV]
    assert median(abs(error) for error in errors) <= 0.3
    assert min(errors) >= -1.9  # gpt-oss-120b, whose weights newer releases pad less
    assert sum(error <= 0.05 for error in errors) >= 0.85 * len(errors)
    assert median(abs(point.kv_error_share or 0.0) for point in WITH_KV) <= 0.01


def test_weights_are_estimated_closely() -> None:
    """Within 0.25 GiB, but for a checkpoint in Hugging Face's format whose family is Mistral's.

    vLLM divides the encoder of those; a plan cannot know the format, and counts it whole.
    """
    chosen = [point for point in BOUND if point.id != "h100-0.19-mistral-small-3.1-w8a8-tp2"]
    errors = part_errors("weights", chosen)
    assert len(errors) >= 25
    assert max(map(abs, errors)) <= 0.25


def test_activations_are_estimated_closely() -> None:
    errors = part_errors("activations", BOUND)
    assert len(errors) >= 25
    assert median(map(abs, errors)) <= 0.03
    assert max(map(abs, errors)) <= 0.35


def test_graphs_are_estimated_closely() -> None:
    errors = part_errors("graphs", BOUND)
    assert len(errors) >= 50
    assert median(map(abs, errors)) <= 0.06
    assert max(map(abs, errors)) <= 0.4


def test_graphs_of_starts_that_fitted_nothing_are_close() -> None:
    """On average within an eighth, most of it where only a few small graphs are captured."""
    unseen = [point for point in BOUND if point.held_out and "graphs" in point.stated]
    shares = [abs(point.fit.graph_bytes / GIB / point.stated["graphs"] - 1) for point in unseen]
    assert len(shares) >= 40
    assert mean(shares) <= 0.125
    assert median(shares) <= 0.06


def test_vllms_own_estimate_of_graphs_is_mostly_within_the_margin() -> None:
    """From 0.21 on it is charged to the budget; the rest of the margin is not needed for it."""
    beyond = []
    for point in BOUND:
        release = replace(point.inputs.accounting, graphs_in_budget=True)
        fit = memory_fit(replace(point.inputs, accounting=release))
        if "estimated_graphs" in point.stated:
            beyond.append(
                point.stated["estimated_graphs"] * GIB > fit.graph_bytes + fit.margin_bytes
            )
    assert len(beyond) >= 60
    assert sum(beyond) <= 3


def test_the_cache_of_starts_that_fitted_nothing_is_within_half_a_percent() -> None:
    """On average, on H100; the nearest published estimator is off by 6.7 % on these starts."""
    unseen = [
        point for point in WITH_KV if point.held_out and point.inputs.compute_capability == (9, 0)
    ]
    shares = [abs((point.kv_error_gib or 0.0) / (point.stated_kv_gib or 1.0)) for point in unseen]
    assert len(shares) >= 40
    assert mean(shares) <= 0.005


@pytest.mark.parametrize("point", [point for point in STARTED if not pads_groups(point)], ids=named)
def test_the_stated_tokens_are_the_stated_gib(point: Point) -> None:
    """vLLM counts tokens as if every layer kept every token; the error is at most one block."""
    stated_gib = point.stated["tokens"] * token_bytes(point.inputs) / GIB
    assert stated_gib == pytest.approx(point.stated["kv"], abs=0.02)


@pytest.mark.parametrize(
    "point",
    [point for point in points() if {"tokens", "concurrency"} <= set(point.stated)],
    ids=named,
)
def test_concurrency_is_vllms(point: Point) -> None:
    """To the log's second decimal, including sliding windows, hybrid groups and blocks."""
    cache = point.stated["tokens"] * token_bytes(point.inputs)
    if pads_groups(point):
        cache = int(point.stated["kv"] * GIB)
    concurrency = cache / kv_bytes(point.inputs, point.inputs.max_model_len)
    assert concurrency == pytest.approx(point.stated["concurrency"], rel=0.001, abs=0.006)


@pytest.mark.parametrize("need", context_needs(), ids=lambda need: str(need["model"]))
def test_a_context_needs_what_vllm_says_it_needs(need: dict[str, float]) -> None:
    architecture = llms()[str(need["model"])].architecture
    needed = kv_bytes(load_of(architecture), int(need["tokens"])) / GIB
    assert needed == pytest.approx(need["gib"], abs=0.01)


def test_the_table_shows_every_point() -> None:
    shown = table()
    assert all(point.id in shown for point in points())
    assert shown.endswith(summary(BOUND))


def test_the_docs_show_the_errors_by_gpu_and_release() -> None:
    """If it fails, put the table that `make calibration` prints into docs/memory.md."""
    shown = DOCS.read_text("utf-8")
    assert "\n".join(by_gpu_and_release(BOUND)) in shown
    assert held_out(BOUND) in shown
