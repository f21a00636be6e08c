"""Problems of a stack file: found one by one, reported all at once.

Every check of the project returns `Problem`s instead of raising, so that one preview names
everything that has to change. `StackError` carries them to the code that ends the run.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from models import secret_forms
from models.rules import RULES
from models.rules import Severity as Severity
from models.ways_out import TriedWayOut, WayOut, spoken

# Hugging Face's tokens start with hf_ or, the older ones, api_; a message must never carry one,
# whatever key it was put under. Three engine arguments of vLLM start with hf_ too, and the name of
# the file of ModelOpt.
TOKEN = re.compile(
    r"hf_(?!(?:overrides|token|config_path|quant_config)\b)[A-Za-z0-9_]{6,}|api_(?:org_)?[A-Za-z0-9]{20,}"
)
_LONGEST_VALUE = 80
# No name, URL or path that is meant is as long as this.
_LONG_WORD = re.compile(r"\S{500,}")


# A problem is as grave as its rule says first, unless it says otherwise.
_AS_ITS_RULE: Final[Any] = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing to change in a stack file.

    path: the path in the file, `ray-llm:models[1].contextLength`.
    value: the value there, as it should be shown; None if there is nothing to show.
    reason: why the value cannot work, as the rest of a sentence that starts with it.
    remedy: what to do instead, a whole sentence; shown if no way out passes. It offers no value
    that was not tried, but for the word that a misspelt one resembles.
    candidates: ways out to try, the least intrusive first. It may be a generator, because planning
    asks only for those of problems that are shown.
    ways: the ways out that passed, in the order in which they are shown.
    rule: the id of its rule, one of models/rules.py.
    severity: one of its rule's severities; left out, the first of them.

    Raises ValueError if there is no such rule, or if it has no such severity.
    """

    path: str
    value: object = None
    reason: str
    remedy: str
    rule: str
    severity: Severity = _AS_ITS_RULE
    candidates: Iterable[WayOut] = field(default=(), compare=False, repr=False)
    ways: tuple[TriedWayOut, ...] = ()

    def __post_init__(self) -> None:
        row = RULES.get(self.rule)
        if row is None:
            raise ValueError(f"{self.rule!r} is not a rule of models/rules.py")
        if self.severity is _AS_ITS_RULE:
            object.__setattr__(self, "severity", row.severities[0])
        elif self.severity not in row.severities:
            raise ValueError(f"models/rules.py has no {self.severity} for {self.rule}")

    @property
    def acceptable(self) -> bool:
        """Whether `ray-llm:accept` can list its rule so that this problem is not shown."""
        return self.severity is Severity.WARN and RULES[self.rule].acceptable

    @property
    def shows_secret(self) -> bool:
        """Whether its path or value holds what looks like a token; its ways out may then, too."""
        texts = (self.path, self.value if isinstance(self.value, str) else "")
        return any(without_secrets(text) != text for text in texts)

    def with_candidates(self, further: Iterable[WayOut]) -> "Problem":
        """The same problem with more ways out to try, after its own."""
        problem = copy.copy(self)
        object.__setattr__(problem, "candidates", chain(self.candidates, further))
        return problem

    def with_ways(self, ways: Iterable[TriedWayOut]) -> "Problem":
        """The same problem with the ways out that passed."""
        problem = copy.copy(self)
        object.__setattr__(problem, "ways", tuple(ways))
        return problem

    def with_remedy(self, remedy: str, severity: Severity) -> "Problem":
        """The same problem with another remedy and one of its rule's severities."""
        problem = copy.copy(self)
        object.__setattr__(problem, "remedy", remedy)
        object.__setattr__(problem, "severity", severity)
        return problem

    def sentence(self) -> str:
        """The problem in words and on one line: path, value, reason, way out.

        A warning that a stack can accept ends with the id that `ray-llm:accept` takes.
        """
        shown = "" if self.value is None else f"{_shown(self.value)} "
        way_out = spoken(self.ways) if self.ways else self.remedy
        sentence = without_secrets(f"{self.path}: {shown}{self.reason}. {way_out}")
        line = _printable(sentence)
        ended = line if line.endswith(("?", ".")) else f"{line}."
        return f"{ended} [{self.rule}]" if self.acceptable else ended


def without_secrets(text: str) -> str:
    """The text with everything that looks like a secret replaced."""
    return secret_forms.without_secrets(TOKEN.sub(secret_forms.HIDDEN, text))


def _shown(value: object) -> str:
    """A value as a person would write it in the file, cut if it is too long for a sentence."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = value if value and value == value.strip() else repr(value)
    elif isinstance(value, int):
        # Python refuses to write out the very longest numbers.
        text = str(value) if value.bit_length() <= 256 else "a number of more than 77 digits"
    elif isinstance(value, Mapping):
        text = "a mapping"
    elif isinstance(value, list | tuple):
        text = "a list"
    else:
        text = repr(value)
    text = without_secrets(text)  # before it is cut, so that no half of a token is left
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _printable(text: str) -> str:
    """One line without control characters, whatever the file's keys and values hold."""
    line = " ".join(_LONG_WORD.sub(lambda word: f"{word[0][:_LONGEST_VALUE]}...", text).split())
    return "".join(letter if letter.isprintable() else ascii(letter).strip("'") for letter in line)


class StackError(Exception):
    """A stack file that cannot be deployed; its text has one line for every problem."""

    def __init__(self, origin: str, problems: Iterable[Problem]) -> None:
        self.origin = origin
        self.problems = tuple(problems)
        count = len(self.problems)
        heading = f"{origin}: {count} {'problem' if count == 1 else 'problems'}, nothing created"
        lines = [f"{origin}: {problem.sentence()}" for problem in self.problems]
        super().__init__("\n".join([heading, *lines]))


def stops(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems that end a preview."""
    return tuple(problem for problem in problems if problem.severity is Severity.STOP)
