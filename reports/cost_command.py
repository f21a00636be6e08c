"""Runs `cost`: asks the cluster or a Prometheus what ran, and sets the plan beside it."""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from diagnosis import Period, UnreachableError, Usage, cluster_of, prometheus_usage
from planning import Plan
from reports.cluster_commands import UNKNOWN, WELL, WRONG, age_of, planned
from reports.cost_text import cost_data, cost_text
from reports.measured_cost import measured_cost
from reports.printing import complain, print_result
from reports.sources import SourceError

LONGEST: Final = timedelta(days=92)
SHORTEST: Final = timedelta(minutes=10)
_LABEL: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def cost(options: argparse.Namespace) -> int:
    """Prints the plan beside what ran."""
    _, plan = planned(options)
    since = age_of(options.since) or timedelta()
    if not SHORTEST <= since <= LONGEST:
        raise SourceError(
            f"--since {options.since}: is not between {SHORTEST.seconds // 60}m and "
            f"{LONGEST.days}d."
        )
    matchers = _matchers(options.match)
    end = datetime.now(UTC)
    try:
        usage = _usage(options, plan, Period(start=end - since, end=end), matchers)
    except UnreachableError as error:
        complain(error)
        return UNKNOWN
    except KeyboardInterrupt:
        return UNKNOWN
    found = measured_cost(plan, usage)
    if options.json:
        print_result(json.dumps(cost_data(plan, found), indent=2))
    else:
        print_result(cost_text(plan, found))
    if found.is_above_plan:
        return WRONG
    return WELL if found.is_known else UNKNOWN


def _usage(
    options: argparse.Namespace, plan: Plan, period: Period, matchers: Mapping[str, str]
) -> Usage:
    if options.prometheus is not None:
        return prometheus_usage(plan, options.prometheus, period, matchers)
    return cluster_of(plan, options.context).usage(period)


def _matchers(texts: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for text in texts:
        match = _LABEL.fullmatch(text)
        if match is None:
            raise SourceError(f"--match {text}: is no label. Write LABEL=VALUE.")
        found[match[1]] = match[2]
    return found
