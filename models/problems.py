"""Problems of a stack file: found one by one, told all at once.

Every check of the project returns `Problem`s instead of raising, so that one preview names
everything there is to change. `StackError` carries them to the place that ends the run.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

# Hugging Face's tokens start with hf_ or, the older ones, api_; a message must never carry one,
# whatever key it was put under. Three engine arguments of vLLM start with hf_ too.
_TOKEN = re.compile(
    r"hf_(?!(?:overrides|token|config_path)\b)[A-Za-z0-9_]{6,}|api_(?:org_)?[A-Za-z0-9]{20,}"
)
_LONGEST_VALUE = 80


class Severity(StrEnum):
    """What a problem does to a preview."""

    STOP = "stop"
    WARN = "warn"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing to change in a stack file.

    path: the path in the file, `ray-llm:models[1].contextLength`.
    value: what stands there, as it should be shown; None where there is nothing to show.
    reason: why that cannot work, as the rest of a sentence that starts with the value.
    remedy: what to write instead, a sentence of its own.
    rule: the id of the rule in the documentation.
    """

    path: str
    value: object = None
    reason: str
    remedy: str
    rule: str
    severity: Severity = Severity.STOP

    def sentence(self) -> str:
        """The problem in words and on one line: place, value, reason, way out."""
        shown = "" if self.value is None else f"{_shown(self.value)} "
        sentence = without_secrets(f"{self.path}: {shown}{self.reason}. {self.remedy}")
        line = _printable(sentence)
        return line if line.endswith(("?", ".")) else f"{line}."


def without_secrets(text: str) -> str:
    """The text with everything that looks like a Hugging Face token replaced."""
    return _TOKEN.sub("[secret]", text)


def _shown(value: object) -> str:
    """A value as a person would write it in the file, cut where it would drown the sentence."""
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
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else ascii(letter).strip("'") for letter in line)


class StackError(Exception):
    """A stack file that cannot be deployed; its text names every problem on a line of its own."""

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
