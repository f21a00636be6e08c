"""Every check runs, and every module of checks reports the rules that the register lists for it."""

from pathlib import Path

import planning.checks
from models.rules import RULES
from planning.checks import ENTRY_CHECKS, PLACED_CHECKS, STACK_CHECKS

FOLDER = Path(planning.checks.__file__).parent
# Runs last, on the problems of all other checks.
AFTER_ALL = "accepted_warnings"


def test_the_checks_that_run_are_those_of_the_modules_that_make_rules() -> None:
    running = {
        check.__module__.removeprefix("planning.checks.")
        for check in (*ENTRY_CHECKS, *PLACED_CHECKS, *STACK_CHECKS)
    }
    making = {
        Path(path).stem
        for rule in RULES.values()
        for path in rule.made_in
        if path.startswith("planning/checks/")
    }
    assert running | {AFTER_ALL} == making
    assert making == {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "contexts"}


def test_a_check_runs_once_a_context() -> None:
    for checks in (ENTRY_CHECKS, PLACED_CHECKS, STACK_CHECKS):
        assert len(set(checks)) == len(checks)
