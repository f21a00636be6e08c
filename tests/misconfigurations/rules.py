"""Every rule id that the code can give a problem, read from its source."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from models.unknown_keys import rules_of_other_tools
from reports.rollout_warnings import rollout_rules

ROOT = Path(__file__).parent.parent.parent
_PACKAGES = ("models", "planning", "reports")


@cache
def rules() -> dict[str, str]:
    """Rule ids with the file that gives them; those of tables with the table's."""
    found = dict.fromkeys(rules_of_other_tools(), "models/keys_of_other_tools.yaml")
    found |= dict.fromkeys(rollout_rules(), "reports/rollout_warnings.py")
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for rule in set(_rules_in(ast.parse(path.read_text("utf-8")))):
                found.setdefault(rule, str(path.relative_to(ROOT)))
    return dict(sorted(found.items()))


def _rules_in(module: ast.Module) -> Iterator[str]:
    """Texts given as `rule`, by keyword, by assignment, or last to a function named _warning."""
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "rule":
                    yield from _texts(keyword.value, constants)
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name == "_warning" and node.args:
                yield from _texts(node.args[-1], constants)
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if names == ["rule"]:
                yield from _texts(node.value, constants)


def _texts(value: ast.expr, constants: Mapping[str, ast.expr]) -> Iterator[str]:
    """The texts that an expression can be: itself, a constant's, or either of a condition."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.Name) and value.id in constants:
        yield from _texts(constants[value.id], constants)
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body, constants)
        yield from _texts(value.orelse, constants)
