"""Every rule has a page and a case, every page a rule, and rules without a thread an example."""

import pytest

from models.catalog import kuberay_releases, ray_releases
from models.problems import Severity, stops
from models.rules import RULES
from models.stack import KubeRayInstall, Versions
from models.unknown_keys import rules_of_other_tools
from planning.infrastructure import releases
from reports.rollout import Rollout
from reports.rollout_warnings import RULES as RULES_OF_ROLLOUTS
from reports.rollout_warnings import rollout_rules
from tests.misconfigurations.corpus import Case, cases, outcome
from tests.misconfigurations.examples import examples
from tests.misconfigurations.pages import INDEX, MARKER, PAGES, ROOT, head, page, written_part

# No pair of the present table is refused by it; tested with another table below.
OF_OTHER_TABLES = {"release-combination"}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_page_with_its_title_that_says_why(rule: str) -> None:
    text = page(rule).read_text("utf-8")
    assert text.startswith(f"{head(rule)}\n\n"), "run make rules"
    assert len(written_part(rule)) > 25
    assert MARKER in text
    assert "## Accept" in text
    for path in RULES[rule].made_in:
        assert f"({'../../' + path})" in text, "run make rules"
    for case in cases():
        if case.rule == rule:
            assert f"{case.area}/{case.id}.yaml" in text, "run make rules"


def test_rules_are_listed_once_by_id_with_a_title_and_files_that_exist() -> None:
    assert list(RULES) == sorted(RULES)
    for rule in RULES.values():
        assert rule.title.endswith("."), rule.id
        assert rule.made_in, rule.id
        assert all((ROOT / path).is_file() for path in rule.made_in), rule.id


def test_the_rules_of_tables_are_those_that_the_register_places_there() -> None:
    def placed_in(path: str) -> set[str]:
        return {rule.id for rule in RULES.values() if path in rule.made_in}

    assert placed_in("models/keys_of_other_tools.yaml") == set(rules_of_other_tools())
    assert placed_in("reports/rollout_warnings.py") == set(rollout_rules())


def test_no_page_is_without_a_rule_and_the_index_lists_all() -> None:
    pages = {path.stem for path in PAGES.glob("*.md") if path.name != INDEX}
    assert pages == set(RULES)
    listed = (PAGES / INDEX).read_text("utf-8")
    assert all(f"({rule}.md)" in listed for rule in RULES)


def test_every_rule_has_a_case_or_an_example() -> None:
    told = {case.rule for case in (*cases(), *examples())} | OF_OTHER_TABLES
    assert told == set(RULES)


@pytest.mark.parametrize("case", examples(), ids=lambda case: case.rule)
def test_the_example_of_a_rule_is_told_by_it(case: Case) -> None:
    found = outcome(case)
    assert found.found, [problem.sentence() for problem in found.problems]


def test_a_kuberay_that_is_too_old_for_a_ray_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = ray_releases()["2.49.1"].model_copy(update={"min_kuberay": "1.6.2"})
    monkeypatch.setattr(releases, "ray_releases", lambda: {"2.49.1": ray})
    older = next(version for version in kuberay_releases() if version.startswith("1.4"))
    _, problems = releases.release_plan(Versions(kuberay=older), KubeRayInstall.HELM)
    assert [problem.rule for problem in stops(problems)] == ["release-combination"]


def test_every_rollout_that_is_not_in_place_has_a_rule() -> None:
    in_place = {rollout for rollout in Rollout if "in place" in rollout}
    assert set(RULES_OF_ROLLOUTS) == set(Rollout) - in_place


def test_accepted_warnings_are_silent_and_stops_are_not() -> None:
    eager = {
        "ray-llm:models": [{"model": "qwen2.5-7b-instruct", "engine": {"enforce_eager": True}}]
    }
    accepted = outcome(_case({**eager, "ray-llm:accept": ["eager-mode"]}))
    assert accepted.problems == ()
    stopped = outcome(_case({"ray-llm:gpuPools": ["l5"], "ray-llm:accept": ["tier-unknown"]}))
    assert [problem.rule for problem in stopped.problems] == ["accept-stop", "tier-unknown"]


def _case(stack: dict[str, object]) -> Case:
    return Case(
        id="own",
        area="own",
        sources=(),
        did="",
        happened="",
        stack=stack,
        before=None,
        files={},
        verdict=Severity.WARN,
        rule="",
        change={},
        why="",
    )
