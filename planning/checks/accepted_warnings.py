"""Warnings that a stack has accepted: `ray-llm:accept` lists the ids of their rules.

A stop is never left out. An id that accepts no warning is reported, because the reason to accept
it may be gone.
"""

from collections.abc import Iterable

from models.problems import Problem
from models.stack import StackSettings
from models.ways_out import leave_out


def not_accepted(settings: StackSettings, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems without the warnings that the stack accepts."""
    return tuple(
        problem
        for problem in problems
        if not (problem.acceptable and problem.rule in settings.accept)
    )


def unused_accept_problems(
    settings: StackSettings, problems: Iterable[Problem]
) -> Iterable[Problem]:
    """A warning for each accepted rule that none of the stack's problems has."""
    rules = {problem.rule for problem in problems}
    for index, rule in enumerate(settings.accept):
        if rule not in rules:
            yield Problem(
                path=f"ray-llm:accept[{index}]",
                value=rule,
                reason="has no effect: this stack has no such warning",
                remedy="Leave it out, or use the id at the end of a warning",
                rule="accept-unused",
                candidates=(leave_out(f"ray-llm:accept[{index}]", "leave it out"),),
            )
