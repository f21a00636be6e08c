"""Sources of a plan without the engine: a stack file, or the JSON of an earlier output.

Both give a `PlanSummary`, which is also what `pulumi stack output plan --json` prints.
git_revision.py reads a stack file of a git revision, plan_reading.py the JSON.
"""

from pathlib import Path
from typing import NamedTuple

from models.reading import NAMESPACE, read_stack
from models.stack_file import read_stack_file
from models.stack_keys import TOKEN_KEY
from planning import Plan, make_plan
from reports.plan_data import PlanSummary, plan_summary

_TOKEN_KEY = f"{NAMESPACE}:{TOKEN_KEY}"


class SourceError(Exception):
    """Text that is neither a plan nor a stack file; its text says why and what to do."""


class Source(NamedTuple):
    """A plan as data, and as it was made; plan: None if only its data is known."""

    summary: PlanSummary
    plan: Plan | None = None

    @classmethod
    def of(cls, plan: Plan) -> "Source":
        """A plan with its data."""
        return cls(plan_summary(plan), plan)


def stack_path(stack: str, directory: Path) -> Path:
    """The file of a stack."""
    return directory / f"Pulumi.{stack}.yaml"


def plan_of_file(path: Path, assume_token: bool = False) -> Plan:
    """The plan of a stack file.

    assume_token: plan as if the file held an encrypted Hugging Face token, if it has none.
    Raises StackFileError if it cannot be read and StackError if it cannot be deployed.
    """
    file = read_stack_file(path)
    values, secret_keys = dict(file.values), file.secret_keys
    if assume_token and _TOKEN_KEY not in values:
        values[_TOKEN_KEY] = None
        secret_keys = secret_keys | {_TOKEN_KEY}
    return make_plan(read_stack(file.stack, values, secret_keys, path.parent))


def text_of_file(path: Path) -> str:
    """The text of a file, without a byte order mark. Raises SourceError if it cannot be read."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from None
