"""Checks the register of rules: a problem is made by the file that its row names."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.problems import Problem
from models.rules import RULES
from tests.misconfigurations.pages import ROOT

# The messages of a table's rows are made by the module that reads the table.
_READER_OF_TABLE = {"models/keys_of_other_tools.yaml": "models/unknown_keys.py"}


@pytest.fixture(autouse=True)
def _problems_come_from_where_the_register_says(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test in which a problem was made by another file than its rule's row names."""
    made: set[tuple[str, str]] = set()
    check = Problem.__post_init__

    def checked(problem: Problem) -> None:
        check(problem)
        maker = sys._getframe(2).f_code.co_filename  # the caller of Problem(...)
        made.add((problem.rule, str(Path(maker).relative_to(ROOT))))

    monkeypatch.setattr(Problem, "__post_init__", checked)
    yield
    for rule, maker in made:
        places = [_READER_OF_TABLE.get(path, path) for path in RULES[rule].made_in]
        assert maker in places, f"models/rules.py: {rule} is made in {maker}, not {places}"
