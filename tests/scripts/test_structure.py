"""The numbers about the code's structure, for a small tree."""

from pathlib import PurePosixPath

import pytest

from scripts.structure import Size, floors, imported_from_outside, rooms, sizes

FILES = {
    PurePosixPath(name): text
    for name, text in {
        "__main__.py": "from planning import make_plan\n",
        "planning/__init__.py": "from planning.planner import make_plan\n",
        "planning/planner.py": "from planning.checks import gpu\nimport planning.plan\n",
        "planning/checks/__init__.py": "",
        "planning/checks/gpu.py": "from planning.checks.cpu import x\nimport planning.plan\n",
        "planning/checks/cpu.py": "import json\n",
        "planning/plan.py": "import planning_of_someone\nfrom models import z\n",
        "models/__init__.py": "",
        "manifests/writer.py": "def f() -> None:\n    from planning.plan import Y\n",
        "tests/planning/test_plan.py": "from planning.checks.cpu import x\n",
        "devtools/cloud/tests/test_cloud.py": "\n\n",
        "scripts/one.py": "\n",
    }.items()
}


def test_rooms_are_what_lies_directly_in_planning() -> None:
    assert rooms(FILES) == {
        "planner": {"checks", "plan"},
        "checks": {"plan"},
        "plan": frozenset(),
    }


def test_floors_are_the_longest_chain() -> None:
    assert floors(rooms(FILES)) == ("planner", "checks", "plan")


def test_a_circle_has_no_floors() -> None:
    with pytest.raises(RecursionError):
        floors({"a": {"b"}, "b": {"a"}})


def test_only_the_rest_of_the_product_is_outside() -> None:
    assert imported_from_outside(FILES) == {"planning", "planning.plan"}


def test_lines_are_counted_by_group_and_folder() -> None:
    found = sizes(FILES)
    assert found["product", "planning"] == Size(6, 8)
    assert found["tests", "devtools"] == Size(1, 2)
    assert found["workshop", "scripts"] == Size(1, 1)
