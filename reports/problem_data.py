"""A problem as data for programs: its place, its sentence, and ways out as changes of the file."""

from decimal import Decimal
from typing import Any, NotRequired, TypedDict

from models.problems import Problem
from models.ways_out import Action, Edit, TriedWayOut


class EditData(TypedDict):
    """A change of the stack file; `value` is missing if the key at the path is removed."""

    action: str
    path: str
    value: NotRequired[Any]


class WayOutData(TypedDict):
    """A way out that was tried; without edits it is something to do outside of the file.

    usdPerMonth: of the whole stack in a typical month; usdPerMonthMore: against the stack as it is
    or, if that is stopped, against the cheapest way out. None if a price is not known.
    """

    words: str
    edits: list[EditData]
    usdPerMonth: float | None
    usdPerMonthMore: float | None


class ProblemData(TypedDict):
    """A stop or a warning."""

    path: str
    rule: str
    severity: str
    sentence: str
    waysOut: list[WayOutData]


def problem_data(problem: Problem) -> ProblemData:
    """The problem with its ways out, the cheapest first."""
    return ProblemData(
        path=problem.path,
        rule=problem.rule,
        severity=problem.severity.value,
        sentence=problem.sentence(),
        waysOut=[_way(way) for way in problem.ways],
    )


def _way(way: TriedWayOut) -> WayOutData:
    return WayOutData(
        words=way.words,
        edits=[_edit(edit) for edit in way.edits],
        usdPerMonth=_cents(way.usd_per_month),
        usdPerMonthMore=_cents(way.usd_per_month_more),
    )


def _edit(edit: Edit) -> EditData:
    data = EditData(action=edit.action.value, path=edit.path)
    if edit.action is not Action.REMOVE:
        data["value"] = edit.value
    return data


def _cents(usd: Decimal | None) -> float | None:
    return None if usd is None else round(float(usd), 2)
