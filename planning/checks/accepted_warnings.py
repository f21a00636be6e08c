"""Warnings that a stack has accepted: `ray-llm:accept` lists the ids of their rules.

A stop is never silenced. An id that silences nothing is told, because it may be misspelt, or the
reason to accept it is gone.
"""

from collections.abc import Iterable, Sequence

from models.problems import Problem, Severity


def not_accepted(accepted: Sequence[str], warnings: Iterable[Problem]) -> tuple[Problem, ...]:
    """The warnings that are left, and one for each accepted rule that gave none."""
    found = tuple(warnings)
    rules = {warning.rule for warning in found}
    left = [warning for warning in found if warning.rule not in accepted]
    idle = [
        Problem(
            path=f"ray-llm:accept[{index}]",
            value=rule,
            reason="silences nothing: no warning of this stack has this rule",
            remedy="Leave it out, or take an id from docs/rules",
            rule="accept-unused",
            severity=Severity.WARN,
        )
        for index, rule in enumerate(accepted)
        if rule not in rules
    ]
    return (*left, *idle)
