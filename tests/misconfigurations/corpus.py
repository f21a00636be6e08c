"""The corpus of real misconfigurations, and the score of the program against it.

    python -m tests.misconfigurations.corpus

prints the score by area. It exits with 1 unless every case is stopped or warned about by the rule
that it names, no near miss is stopped, and every way out that is shown works. A case is a YAML
file in the folder of its area:

    id, area       its name and kind
    sources        public threads, pages or source code
    did, happened  what people did, and what happened to them
    stack          the mistake, merged into BASE (JSON merge patch)
    before         for a change: the stack before it, also merged into BASE
    files          files in the stack file's folder by name, as YAML
    verdict        stop: it cannot work, or it destroys, leaks or serves the wrong thing
                   warn: it works but costs too much or surprises
    rule           the id of the rule that must report it
    near_miss      change: merged into the result; why: the reason that it must not be stopped
"""

import copy
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from models.problems import Problem, Severity, StackError, stops
from models.reading import read_stack
from models.stack_file import parse_stack_file
from models.ways_out import TriedWayOut, with_edits
from planning import make_plan
from reports.change_effects import change_effects
from reports.difference import difference
from reports.plan_data import plan_summary
from reports.rollout_warnings import rollout_problems

FOLDER = Path(__file__).parent
BASE: dict[str, Any] = {
    "gcp:project": "acme-ml",
    "gcp:region": "us-central1",
    "ray-llm:cluster": {"name": "llm-test", "zones": ["us-central1-a", "us-central1-c"]},
    "ray-llm:huggingFaceToken": {"secure": "AAABAJ0"},
    "ray-llm:gpuPools": ["l4"],
    "ray-llm:models": ["qwen2.5-7b-instruct"],
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One misconfiguration with its near miss."""

    id: str
    area: str
    sources: tuple[str, ...]
    did: str
    happened: str
    stack: Mapping[str, Any]
    before: Mapping[str, Any] | None
    files: Mapping[str, Any]
    verdict: Severity
    rule: str
    change: Mapping[str, Any]
    why: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The program's problems with a case and with its near miss.

    followed: every way out that is shown for either, with its problem and whether it works.
    """

    case: Case
    problems: tuple[Problem, ...]
    near_problems: tuple[Problem, ...]
    followed: tuple[tuple[Problem, TriedWayOut, bool], ...] = ()

    @property
    def found(self) -> bool:
        """Whether the rule of the case reports it, with exactly the expected severity."""
        stopped = any(problem.severity is Severity.STOP for problem in self.problems)
        if self.case.verdict is Severity.WARN and stopped:
            return False
        return any(
            problem.rule == self.case.rule and problem.severity is self.case.verdict
            for problem in self.problems
        )

    @property
    def false_stop(self) -> bool:
        """Whether the near miss is stopped."""
        return any(problem.severity is Severity.STOP for problem in self.near_problems)

    @property
    def all_ways_work(self) -> bool:
        """Whether each way out that is shown mends its problem and leads into no new stop."""
        return all(works for _, _, works in self.followed)

    @property
    def false_alarm(self) -> bool:
        """Whether the rule of the case also reports the near miss."""
        return any(problem.rule == self.case.rule for problem in self.near_problems)


@cache
def cases() -> tuple[Case, ...]:
    """Every case, by area and id."""
    return tuple(_case(path) for path in sorted(FOLDER.glob("*/*.yaml")))


def _case(path: Path) -> Case:
    row = yaml.safe_load(path.read_text("utf-8"))
    near_miss = row.pop("near_miss")
    case = Case(
        **{"before": None, "files": {}, **row, "sources": tuple(row["sources"])}
        | {"verdict": Severity(row["verdict"])},
        change=near_miss["change"],
        why=near_miss["why"],
    )
    if path.stem != case.id or path.parent.name != case.area:
        raise ValueError(f"{path} holds the case {case.area}/{case.id}")
    return case


def outcome(case: Case) -> Outcome:
    """Check a case and its near miss."""
    wrong = merged(BASE, case.stack)
    near = merged(wrong, case.change)
    problems, near_problems = said(case, wrong), said(case, near)
    return Outcome(
        case=case,
        problems=problems,
        near_problems=near_problems,
        followed=(*_followed(case, wrong, problems), *_followed(case, near, near_problems)),
    )


def _followed(
    case: Case, stack: Mapping[str, Any], problems: tuple[Problem, ...]
) -> Iterator[tuple[Problem, TriedWayOut, bool]]:
    """Each way out put into the stack, which is written, read and planned again as a file."""
    for problem in problems:
        for way in problem.ways:
            if way.edits:
                yield problem, way, _works(case, stack, problems, problem, way)


def _works(
    case: Case,
    stack: Mapping[str, Any],
    problems: tuple[Problem, ...],
    problem: Problem,
    way: TriedWayOut,
) -> bool:
    """Whether the problem is gone and the stack is stopped by nothing else than before."""
    changed = with_edits(stack, way.edits)
    if changed is None:
        return False
    after = said(case, changed)
    key = (problem.path, problem.rule)
    if _keys(after)[key] >= _keys(problems)[key]:
        return False
    return not _keys(stops(after)) - _keys(stops(problems))


def _keys(problems: Iterable[Problem]) -> Counter[tuple[str, str]]:
    return Counter((problem.path, problem.rule) for problem in problems)


def merged(stack: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch (RFC 7386): null deletes, lists are replaced completely."""
    result = copy.deepcopy(dict(stack))
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def said(case: Case, stack: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Stops or warnings of a stack, and of the change to it if the case is a change."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for name, content in case.files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text, "utf-8")
        try:
            plan = make_plan(_reading(stack, directory))
        except StackError as error:
            return error.problems
        if case.before is None:
            return plan.warnings
        old = make_plan(_reading(merged(BASE, case.before), directory))
        changed = difference(plan_summary(old), plan_summary(plan))
        effects = change_effects(old, plan)
        return (*plan.warnings, *rollout_problems(changed, effects), *effects.problems)


def _reading(stack: Mapping[str, Any], directory: Path) -> Any:
    text = yaml.safe_dump({"config": dict(stack)}, sort_keys=False)
    file = parse_stack_file(text, directory / "Pulumi.case.yaml")
    return read_stack("case", file.values, file.secret_keys, directory)


def score(outcomes: Iterable[Outcome]) -> tuple[Table, bool]:
    """The score by area as a table, and whether it is perfect."""
    table = Table(title="Real misconfigurations, and what the preview says of them")
    for column in ("area", "cases", "stopped", "warned", "near misses", "false stops", "ways out"):
        table.add_column(column, justify="left" if column == "area" else "right")
    by_area: dict[str, list[Outcome]] = {}
    for found in outcomes:
        by_area.setdefault(found.case.area, []).append(found)
    everything = [found for rows in by_area.values() for found in rows]
    for area, rows in sorted(by_area.items()):
        table.add_row(area, *_figures(rows))
    table.add_section()
    table.add_row("all", *_figures(everything))
    perfect = all(
        found.found and not found.false_stop and found.all_ways_work for found in everything
    )
    return table, perfect


def _figures(rows: list[Outcome]) -> tuple[str, ...]:
    stops = [found for found in rows if found.case.verdict is Severity.STOP]
    warns = [found for found in rows if found.case.verdict is Severity.WARN]
    works = [works for found in rows for _, _, works in found.followed]
    return (
        str(len(rows)),
        f"{sum(found.found for found in stops)} / {len(stops)}",
        f"{sum(found.found for found in warns)} / {len(warns)}",
        str(len(rows)),
        str(sum(found.false_stop for found in rows)),
        f"{sum(works)} / {len(works)}",
    )


def main() -> int:
    """Prints the score; returns 1 if a case is missed or a near miss is stopped."""
    outcomes = [outcome(case) for case in cases()]
    table, perfect = score(outcomes)
    console = Console(width=100)
    console.print(table)
    for found in outcomes:
        case = found.case
        if not found.found:
            heard = "; ".join(problem.sentence() for problem in found.problems) or "nothing"
            console.print(f"missed: {case.area}/{case.id} ({case.rule}): {heard}", markup=False)
        if found.false_stop or found.false_alarm:
            heard = "; ".join(problem.sentence() for problem in found.near_problems)
            console.print(f"near miss: {case.area}/{case.id}: {heard}", markup=False)
        for problem, way, works in found.followed:
            if not works:
                console.print(f"way out: {case.area}/{case.id}: {way.words}", markup=False)
                console.print(f"    {problem.sentence()}", markup=False)
    return 0 if perfect else 1


if __name__ == "__main__":
    sys.exit(main())
