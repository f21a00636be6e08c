"""What is wrong with a service: since when, why, and what mends it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.problems import without_secrets

_LONGEST = 600


class Gravity(StrEnum):
    """How grave a finding is. `wrong`: requests suffer, or soon will; `note`: good to know."""

    WRONG = "wrong"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Mend:
    """What mends something.

    text: what to do, a sentence. path: the setting of the stack file that it is about, as
    `ray-llm:models[1].contextLength`; empty if none is. command: to run; empty if none is.
    """

    text: str
    path: str = ""
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    rule: the id of its rule, one of diagnosis/catalogue.py.
    subject: what it is about: a model's name, a pod, `KubeRay`.
    what: what is wrong, without the subject. why: the cause, in the words of who reported it.
    since: None if nobody says.
    """

    rule: str
    subject: str
    what: str
    why: str
    mend: Mend
    since: datetime | None = None
    gravity: Gravity = Gravity.WRONG

    def __post_init__(self) -> None:
        for field in ("subject", "what", "why"):
            object.__setattr__(self, field, one_line(getattr(self, field)))


def one_line(text: object) -> str:
    """Text of others on one line of readable length, without secrets and control characters."""
    line = without_secrets(" ".join(str(text).split()))
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
