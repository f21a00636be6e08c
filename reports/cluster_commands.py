"""Runs `doctor`, `status` and `logs`: asks the cluster of a stack and prints what it answers."""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from diagnosis import UnreachableError, cluster_of, diagnose, model_states
from models.problems import StackError
from models.spelling import nearest
from planning import ModelPlan, Plan
from reports.doctor_text import Report, doctor_data, doctor_text
from reports.log_text import log_text
from reports.printing import complain, print_result
from reports.sources import SourceError, plan_of_file, stack_path, text_of_file
from reports.status_text import status_text

WELL: Final = 0
WRONG: Final = 1
UNKNOWN: Final = 2
PAUSE_SECONDS: Final = 5.0
_FOLLOW_SECONDS: Final = 2.0
_AGE: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_CLEAR: Final = "\033[H\033[2J"


def doctor(options: argparse.Namespace) -> int:
    """Prints the diagnosis."""
    path, plan = planned(options)
    return _asked(lambda: _diagnosed(options, path, plan))


def _diagnosed(options: argparse.Namespace, path: Path, plan: Plan) -> int:
    cluster = cluster_of(plan, options.context)
    snapshot = cluster.snapshot()
    report = Report(
        plan=plan,
        context=cluster.context,
        file=path,
        text=text_of_file(path),
        findings=diagnose(snapshot, plan),
        snapshot=snapshot,
    )
    if options.json:
        print_result(json.dumps(doctor_data(report), indent=2))
    else:
        print_result(doctor_text(report))
    if report.is_wrong:
        return WRONG
    return WELL if report.is_known else UNKNOWN


def status(options: argparse.Namespace) -> int:
    """Prints the table of models, once or again and again."""
    _, plan = planned(options)
    return _asked(lambda: _states(options, plan))


def _states(options: argparse.Namespace, plan: Plan) -> int:
    cluster = cluster_of(plan, options.context)
    while True:
        snapshot = cluster.snapshot()
        states = model_states(snapshot, plan)
        if options.json:
            data = {
                "stack": plan.stack,
                "context": cluster.context,
                "models": [asdict(state) for state in states],
                "unseen": [{"part": item.part, "why": item.why} for item in snapshot.unseen],
            }
            print_result(json.dumps(data, indent=None if options.watch else 2), flush=True)
        else:
            clear = _CLEAR if options.watch and sys.stdout.isatty() else ""
            print_result(f"{clear}{status_text(states, snapshot)}", flush=True)
        if not options.watch:
            return WELL if snapshot.serve is not None else UNKNOWN
        time.sleep(PAUSE_SECONDS)


def logs(options: argparse.Namespace) -> int:
    """Prints the lines of one model."""
    _, plan = planned(options)
    model = model_named(plan, options.model)
    since = age_of(options.since)
    return _asked(lambda: _lines(options, plan, model, since))


def _lines(
    options: argparse.Namespace, plan: Plan, model: ModelPlan, since: timedelta | None
) -> int:
    cluster = cluster_of(plan, options.context)
    said: Counter[Any] = Counter()
    complained: set[str] = set()
    while True:
        found = cluster.log(model, since)
        fresh = Counter(found.lines) - said
        for line in found.lines:
            if fresh[line] > 0:
                fresh[line] -= 1
                if line.is_error or not options.errors:
                    print_result(log_text(line))
        said |= Counter(found.lines)
        for why in found.unread:
            if why not in complained:
                complained.add(why)
                complain(f"not read: {why}")
        print_result("", end="", flush=True)
        if not options.follow:
            return WELL if found.lines or not found.unread else UNKNOWN
        time.sleep(_FOLLOW_SECONDS)


def _asked(ask: Callable[[], int]) -> int:
    try:
        return ask()
    except UnreachableError as error:
        complain(error)
        return UNKNOWN
    except KeyboardInterrupt:
        return WELL


def planned(options: argparse.Namespace) -> tuple[Path, Plan]:
    """The stack file that is named, and its plan.

    Raises SourceError if none or two are named, or it has no plan: then nothing is known of what
    runs, which is no fault of it.
    """
    if options.stack_file and options.stack:
        raise SourceError("Name a stack or a file, not both: --stack NAME or --stack-file FILE.")
    if options.stack_file:
        path = Path(options.stack_file)
    elif options.stack:
        path = stack_path(options.stack, options.directory)
    else:
        raise SourceError("Name a stack: --stack NAME, or --stack-file FILE.")
    try:
        return path, plan_of_file(path, options.assume_token)
    except StackError as error:
        raise SourceError(str(error)) from None


def model_named(plan: Plan, name: str) -> ModelPlan:
    """The model of that name. Raises SourceError if the stack has none."""
    known = {model.name: model for model in plan.models}
    if name not in known:
        listed = ", ".join(known)
        raise SourceError(
            f"The stack {plan.stack} has no model {name}. {nearest(name, known)}It has {listed}."
        )
    return known[name]


def age_of(text: str | None) -> timedelta | None:
    """An age as people write it; None for None. Raises SourceError if it is none."""
    if text is None:
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        raise SourceError(f"--since {text}: is no age. Write a number and s, m, h or d: 10m.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
