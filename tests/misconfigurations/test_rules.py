"""Every rule has a page and a case or an example, and every page has a rule."""

from pathlib import Path

import pytest
import yaml

from models.problems import Severity
from models.rules import RULES
from models.unknown_keys import rules_of_other_tools
from reports.command_line import main
from reports.rollout import Rollout
from reports.rollout_warnings import RULES as RULES_OF_ROLLOUTS
from reports.rollout_warnings import rollout_rules
from tests.misconfigurations.corpus import BASE, Case, cases, outcome
from tests.misconfigurations.examples import examples
from tests.misconfigurations.pages import (
    INDEX,
    PAGES,
    ROOT,
    head,
    index,
    made_part,
    page,
    written_part,
)


@pytest.mark.parametrize("rule", RULES)
def test_a_rules_page_says_why_and_shows_its_message_and_cases(rule: str) -> None:
    assert len(written_part(rule)) > 25
    made = f"{head(rule)}\n\n{written_part(rule)}\n\n{made_part(rule)}\n"
    assert page(rule).read_text("utf-8") == made, "run make rules"


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
    assert (PAGES / INDEX).read_text("utf-8") == index(), "run make rules"


# What no stack file shows. Only another version of this program makes such a change (see
# tests/rollouts), only the engine decrypts a key (see tests/models/test_access_keys.py), and only a
# cluster tells its kinds (see tests/rollouts/test_collector_kinds.py).
OF_NO_FILE = {"change-ignored", "access-key-twice", "access-key-value", "monitoring-kinds"}


def test_every_rule_has_a_case_or_an_example() -> None:
    reported = {case.rule for case in (*cases(), *examples())}
    assert reported == set(RULES) - OF_NO_FILE


@pytest.mark.parametrize("case", examples(), ids=lambda case: case.rule)
def test_the_example_of_a_rule_breaks_it(case: Case) -> None:
    found = outcome(case)
    assert found.found, [problem.sentence() for problem in found.problems]


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


@pytest.mark.parametrize("form", [(), ("--markdown",), ("--json",)])
def test_a_shown_warning_carries_the_id_that_accept_takes(
    form: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {"model": "qwen2.5-7b-instruct", "engine": {"enforce_eager": True}}
    text = yaml.safe_dump({"config": {**BASE, "ray-llm:models": [model]}})
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(text, "utf-8")
    assert main(["plan", str(path), *form]) == 0
    shown = "".join(capsys.readouterr())
    assert "[eager-mode]" in shown.replace("\\", "")


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
