"""Ways out are tried before they are shown: each is put into the stack, which is planned again.

A way out passes if its problem is gone and no stop has come. If several pass, the cheapest is shown
first, with the difference in money. What does not pass is not shown. If none passes, one that only
meets other stops is completed by ways out of these.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from typing import Final

from models.problems import Problem, Severity, stops
from models.reading import Reading
from models.ways_out import Action, TriedWayOut, WayOut, leave_out, together, use
from planning.plan_costs import StackCost

# A preview must not wait for its own advice: so many models are planned for all ways out together
# (some 0.25 ms each), and for stacks beyond that a few.
_MOST_MODELS: Final = 5000
_MOST_TRIES: Final = 150
# The value was replaced by a placeholder, and what resembles that helps no one.
_SECRETS: Final = frozenset({"plain-secret", "plain-token"})
# More than this no one compares.
_MOST_SHOWN: Final = 3
# Of ways out that meet other stops, so many are completed, with so many of the ways out of a stop.
_MOST_COMPLETED: Final = 3
_MOST_COMPLETIONS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What planning says of a stack: its problems, but for accepted warnings, and its cost."""

    problems: tuple[Problem, ...]
    cost: StackCost | None

    @property
    def usd_per_month(self) -> Decimal | None:
        """Of a typical month; None if a price is not known."""
        cost = self.cost
        return None if cost is None or cost.unpriced else cost.total.typical


@dataclass(frozen=True, kw_only=True)
class _Passed:
    way: WayOut
    usd_per_month: Decimal | None
    warns: bool


@dataclass(frozen=True, kw_only=True)
class _Halfway:
    """A way out that mends its problem and meets other stops."""

    way: WayOut
    met: tuple[Problem, ...]


def with_tried_ways(
    problems: Iterable[Problem],
    reading: Reading,
    before: Verdict,
    judge: Callable[[Reading], Verdict],
) -> tuple[Problem, ...]:
    """The problems with those of their ways out that pass.

    before: what planning says of the stack as it is; judge: what it says of a changed one.
    """
    trial, found = _Trial(reading, before, judge), tuple(problems)
    secret = {problem.path for problem in found if problem.rule in _SECRETS}
    tried = [
        (problem, None)
        if problem.path in secret and problem.rule not in _SECRETS
        else (problem, trial.ways(problem))
        for problem in found
    ]
    # What is left of the tries after those of all problems is for ways out in several steps.
    return tuple(
        problem if ways is None else problem.with_ways(trial.shown(problem, ways))
        for problem, ways in tried
    )


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """The ways out of a problem by how they did; `elsewhere` cannot be tried."""

    passed: tuple[_Passed, ...] = ()
    halfway: tuple[_Halfway, ...] = ()
    elsewhere: tuple[WayOut, ...] = ()


class _Trial:
    """One stack and the tries that are left for it."""

    def __init__(
        self, reading: Reading, before: Verdict, judge: Callable[[Reading], Verdict]
    ) -> None:
        self._reading = reading
        self._before = before
        self._judge = judge
        self._stops = _counts(before.problems, Severity.STOP)
        self._warnings = _counts(before.problems, Severity.WARN)
        models = len(reading.settings.models) if reading.settings else 0
        self._left = min(_MOST_TRIES, max(4, _MOST_MODELS // max(1, models)))

    def ways(self, problem: Problem) -> _Tried:
        if problem.shows_secret:
            return _Tried()
        passed: list[_Passed] = []
        halfway: list[_Halfway] = []
        elsewhere: list[WayOut] = []
        done: set[str] = set()
        for way in problem.candidates:
            if not self._left:
                break  # candidates take time, too: some are sized before they are proposed
            if not way.edits:
                elsewhere.append(way)
            elif not (way.group and way.group in done):
                self._left -= 1
                found = self._try(problem, way)
                if isinstance(found, _Passed):
                    passed.append(found)
                    done.add(way.group)
                elif found is not None:
                    halfway.append(found)
        return _Tried(passed=tuple(passed), halfway=tuple(halfway), elsewhere=tuple(elsewhere))

    def shown(self, problem: Problem, tried: _Tried) -> tuple[TriedWayOut, ...]:
        passed = tried.passed or tuple(self._completed(problem, tried.halfway))
        quiet = [found for found in passed if not found.warns] or passed
        priced = self._with_differences(_cheapest_of_each_kind(quiet)[:_MOST_SHOWN])
        if not priced:
            return ()
        return (*priced, *(TriedWayOut(words=way.words, edits=()) for way in tried.elsewhere))

    def _try(self, problem: Problem, way: WayOut) -> _Passed | _Halfway | None:
        changed = self._reading.edited(way.edits)
        if changed is None:
            return None
        after = self._judge(changed)
        key = (problem.path, problem.rule)
        left = _counts(after.problems, Severity.STOP)
        warnings = _counts(after.problems, Severity.WARN)
        if left[key] + warnings[key] >= self._stops[key] + self._warnings[key]:
            return None
        changed_here = {edit.path for edit in way.edits}
        # A new value must not be wrong for another reason that was given for the old one.
        if any(left[stop] >= self._stops[stop] for stop in self._stops if stop[0] in changed_here):
            return None
        new = left - self._stops
        if new:
            met = (stop for stop in stops(after.problems) if new[(stop.path, stop.rule)])
            return _Halfway(way=way, met=tuple(met))
        return _Passed(
            way=way, usd_per_month=after.usd_per_month, warns=bool(warnings - self._warnings)
        )

    def _completed(self, problem: Problem, halfway: Iterable[_Halfway]) -> Iterable[_Passed]:
        """The first way out that passes together with ways out of the stops that it meets."""
        for start in islice(halfway, _MOST_COMPLETED):
            found: _Passed | _Halfway | None = start
            while isinstance(found, _Halfway):
                found = self._further(problem, found)
            if found is not None:
                return (found,)
        return ()

    def _further(self, problem: Problem, halfway: _Halfway) -> _Passed | _Halfway | None:
        """With a way out of the first stop; None if none of its ways out leaves fewer stops."""
        stop = halfway.met[0]
        for way in islice(_completing(halfway.way, stop), _MOST_COMPLETIONS):
            if not self._left:
                return None
            self._left -= 1
            found = self._try(problem, _both(halfway.way, way, problem, stop))
            if isinstance(found, _Passed):
                return found
            if found is not None and len(found.met) < len(halfway.met):
                return found
        return None

    def _with_differences(self, passed: Sequence[_Passed]) -> tuple[TriedWayOut, ...]:
        known = [found.usd_per_month for found in passed if found.usd_per_month is not None]
        reference = None if self._stops else self._before.usd_per_month
        if self._stops and known:
            reference = min(known)
        tried = (
            TriedWayOut(
                words=found.way.words, edits=found.way.edits, usd_per_month=found.usd_per_month
            )
            for found in passed
        )
        return tuple(
            way
            if way.usd_per_month is None or reference is None
            else replace(way, usd_per_month_more=way.usd_per_month - reference)
            for way in tried
        )


def _counts(problems: Iterable[Problem], severity: Severity) -> Counter[tuple[str, str]]:
    return Counter(
        (problem.path, problem.rule) for problem in problems if problem.severity is severity
    )


def _completing(first: WayOut, stop: Problem) -> Iterable[WayOut]:
    """Ways out of a stop that a way out meets; none if it is about what that wrote itself."""
    written = {str(edit.value) if edit.action is Action.MOVE else edit.path for edit in first.edits}
    if stop.shows_secret or first.words.endswith("?"):
        return ()
    if any(stop.path.startswith((f"{path}.", f"{path}[")) for path in written):
        return ()
    ways = (way for way in stop.candidates if way.edits and not way.words.endswith("?"))
    if stop.path not in written:
        return ways
    return (way for way in ways if {edit.path for edit in way.edits} >= written)


def _both(first: WayOut, second: WayOut, problem: Problem, stop: Problem) -> WayOut:
    """Two ways out as one; the entry of the second is named unless the problem is about it."""
    words = _by_key(second)
    if {edit.path for edit in second.edits} >= {edit.path for edit in first.edits}:
        return replace(second, words=words)  # another value in place of the first one
    verb = words.partition(" ")[0] + " "
    if first.words.startswith(verb):
        words = words.removeprefix(verb)
    entry = stop.path.partition(".")[0]
    at = "" if problem.path.startswith(entry) else f" for {entry}"
    return together(f"{first.words} and {words}{at}", first, second, group=first.group)


def _by_key(way: WayOut) -> str:
    """The words of a way out, with the key of its one edit if they only say `it`."""
    if len(way.edits) != 1 or way.edits[0].path.rpartition(".")[2] in way.words:
        return way.words
    (edit,) = way.edits
    if edit.action is Action.SET:
        return use(edit.path, edit.value).words
    return leave_out(edit.path).words if edit.action is Action.REMOVE else way.words


def _order(usd_per_month: Decimal | None) -> float:
    return float("inf") if usd_per_month is None else round(usd_per_month)


def _cheapest_of_each_kind(passed: Iterable[_Passed]) -> list[_Passed]:
    """In the order of cost; the rest keeps the order in which the rule lists its ways."""
    kept: dict[str, _Passed] = {}
    for number, found in enumerate(sorted(passed, key=lambda found: _order(found.usd_per_month))):
        kind = found.way.group.partition("/")[0]
        kept.setdefault(kind or f"/{number}", found)
    return list(kept.values())
