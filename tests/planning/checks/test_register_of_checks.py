"""Every check runs, and every module of checks reports the rules that the register lists for it."""

from importlib import import_module
from inspect import get_annotations, isfunction
from pathlib import Path

import planning.checks
from models.rules import RULES
from planning.checks import ENTRY_CHECKS, PLACED_CHECKS, STACK_CHECKS
from planning.checks.contexts import EntryContext, PlacedContext, StackContext

CONTEXTS = (EntryContext, PlacedContext, StackContext)
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


def test_every_public_function_of_a_check_module_that_takes_a_context_runs() -> None:
    found = {
        function
        for path in FOLDER.glob("*.py")
        if path.stem not in ("__init__", "contexts", AFTER_ALL)
        for name, function in vars(import_module(f"planning.checks.{path.stem}")).items()
        if isfunction(function)
        and not name.startswith("_")
        and function.__module__ == f"planning.checks.{path.stem}"
        and next(iter(get_annotations(function).values())) in CONTEXTS
    }
    assert found == {*ENTRY_CHECKS, *PLACED_CHECKS, *STACK_CHECKS}


def test_a_check_runs_once_a_context() -> None:
    for checks in (ENTRY_CHECKS, PLACED_CHECKS, STACK_CHECKS):
        assert len(set(checks)) == len(checks)
