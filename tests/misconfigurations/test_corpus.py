"""Every misconfiguration of the corpus is reported by its rule, and no near miss is stopped."""

import re
from typing import Any

import pytest

from models.problems import Severity, stops
from models.ways_out import with_edits
from tests.misconfigurations.corpus import BASE, Case, cases, main, merged, outcome, said
from tests.misconfigurations.examples import examples

CASES = cases()
# Areas that a stack file and the catalogue can decide. Each must have a case.
AREAS = {
    "allocatable",
    "autoscaling",
    "config-typos",
    "dtype-quantization",
    "engine-args",
    "exposure-security",
    "gke-accelerator-zone",
    "gke-node-pool",
    "guide-numbers",
    "kuberay-names-fields",
    "memory-fit",
    "off-hours",
    "parallelism",
    "quota-cost",
    "rollout",
    "secrets-access",
    "serve-config",
    "taints-scheduling",
    "versions",
}
# A public page, or a published source by package and version, or the guide by section.
SOURCE = re.compile(
    r"https://\S+|(?:vllm|ray|kuberay)-\d+\.\d+\.\d+: .+|pulumi-gcp \d+\.\d+\.\d+: .+|guide: .+"
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_misconfiguration_is_reported_and_its_near_miss_is_not_stopped(case: Case) -> None:
    found = outcome(case)
    assert found.found, [problem.sentence() for problem in found.problems]
    assert not found.false_stop, [problem.sentence() for problem in found.near_problems]
    assert not found.false_alarm, [problem.sentence() for problem in found.near_problems]


@pytest.mark.parametrize("case", [*CASES, *examples()], ids=lambda case: case.id)
def test_every_way_out_that_is_shown_mends_its_problem_and_meets_no_other(case: Case) -> None:
    for problem, way, works in outcome(case).followed:
        assert works, (way.words, problem.sentence())


@pytest.mark.parametrize("case", [*CASES, *examples()], ids=lambda case: case.id)
def test_the_first_ways_out_of_all_stops_together_leave_no_other(case: Case) -> None:
    stack: dict[str, Any] | None = merged(BASE, case.stack)
    found = stops(outcome(case).problems)
    for problem in found:
        if problem.ways:
            stack = with_edits(stack or {}, problem.ways[0].edits)
    assert stack is not None
    without = {(problem.path, problem.rule) for problem in found if not problem.ways}
    left = {(problem.path, problem.rule) for problem in stops(said(case, stack))}
    assert left <= without


def test_most_problems_of_the_corpus_have_a_way_out_that_was_tried() -> None:
    found = [problem for case in CASES for problem in outcome(case).problems]
    assert sum(bool(problem.ways) for problem in found) > 0.8 * len(found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_case_says_what_happened_and_where_that_is_written(case: Case) -> None:
    assert case.sources
    for source in case.sources:
        assert SOURCE.fullmatch(source), source
    for text in (case.did, case.happened, case.why):
        assert text.endswith("."), text


def test_the_base_of_all_cases_is_deployable() -> None:
    empty = Case(
        id="base",
        area="base",
        sources=(),
        did="",
        happened="",
        stack={},
        before=None,
        files={},
        verdict=Severity.STOP,
        rule="",
        change={},
        why="",
    )
    assert outcome(empty).problems == ()


def test_every_area_has_a_case_and_ids_are_unique() -> None:
    assert {case.area for case in CASES} == AREAS
    assert len({case.id for case in CASES}) == len(CASES)
    assert len(CASES) >= 80


def test_a_merge_patch_deletes_with_null_and_replaces_lists() -> None:
    patched = merged(BASE, {"ray-llm:gpuPools": ["t4"], "ray-llm:huggingFaceToken": None})
    assert patched["ray-llm:gpuPools"] == ["t4"]
    assert "ray-llm:huggingFaceToken" not in patched
    assert BASE["ray-llm:gpuPools"] == ["l4"]


def test_the_score_is_printed_and_perfect(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    printed = capsys.readouterr().out
    assert "missed" not in printed
    assert "false stops" in printed
