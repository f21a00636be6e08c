"""All rules on one case, in the order in which a person should read what they find."""

from collections.abc import Callable, Iterable
from typing import Final

from diagnosis.case import Case
from diagnosis.catalogue import RANKS
from diagnosis.finding import Finding, Gravity, Mend, one_line
from diagnosis.rules import (
    containers,
    engines,
    live_objects,
    load,
    models,
    nodes,
    operator,
    ray_cluster,
    service,
    surroundings,
    weights,
)
from diagnosis.snapshot import Snapshot
from planning import Plan

_RULES: Final[tuple[Callable[[Case], Iterable[Finding]], ...]] = (
    service.presence,
    service.refusals,
    operator.operator,
    operator.idle,
    operator.definitions,
    surroundings.dns,
    surroundings.clocks,
    nodes.unscheduled,
    containers.containers,
    containers.token,
    weights.filling,
    ray_cluster.head,
    ray_cluster.autoscaler,
    ray_cluster.second_cluster,
    engines.engines,
    models.applications,
    models.workers,
    service.readiness,
    surroundings.check,
    load.load,
    live_objects.live_objects,
)


def diagnose(snapshot: Snapshot, plan: Plan) -> tuple[Finding, ...]:
    """What is wrong, causes before what they cause.

    An object of an odd form ends one rule alone.
    """
    case = Case(snapshot, plan)
    found: list[Finding] = []
    for rule in _RULES:
        try:
            found += rule(case)
        except (AttributeError, TypeError, KeyError, ValueError, AssertionError) as error:
            found.append(_odd(rule.__name__, error))
    return tuple(sorted(_once(found), key=_rank))


def _rank(finding: Finding) -> tuple[bool, int]:
    return finding.gravity is Gravity.NOTE, RANKS[finding.rule]


def _once(found: Iterable[Finding]) -> Iterable[Finding]:
    return {(item.rule, item.subject): item for item in reversed(list(found))}.values()


def _odd(rule: str, error: Exception) -> Finding:
    return Finding(
        rule="odd-object",
        subject=f"the rule {rule}",
        what="it cannot read an object, which has an unusual form",
        why=one_line(f"{type(error).__name__}: {error}"),
        gravity=Gravity.NOTE,
        mend=Mend(text="Look at what was written by hand; all other rules have gone on."),
    )
