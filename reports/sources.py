"""Sources of a plan without the engine: a stack file, or the JSON of an earlier output.

Both give a `PlanSummary`, which is also what `pulumi stack output plan --json` prints.
git_revision.py reads a stack file of a git revision.
"""

import json
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

from models.reading import NAMESPACE, read_stack
from models.stack_file import read_stack_file
from models.stack_keys import TOKEN_KEY
from planning import Plan, make_plan
from reports.plan_data import VERSION, PlanSummary, plan_summary

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


def source_of_file(path: Path, assume_token: bool = False) -> Source:
    """The plan of a stack file, or the plan that a JSON file holds."""
    if path.suffix == ".json":
        return Source(summary_of_json(text_of_file(path), str(path)))
    return Source.of(plan_of_file(path, assume_token))


def text_of_file(path: Path) -> str:
    """The text of a file, without a byte order mark. Raises SourceError if it cannot be read."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from None


def summary_of_json(text: str, origin: str) -> PlanSummary:
    """The plan in the JSON of `pulumi stack output plan --json` or `ray-llm plan --json`.

    Raises SourceError if it is something else.
    """
    try:
        data = _opened(json.loads(text.removeprefix("\ufeff")))
        if isinstance(data, dict) and "plan" in data:
            data = _opened(data["plan"])  # all outputs of the stack
    except RecursionError:
        raise SourceError(f"{origin}: is nested too deeply for a plan.") from None
    except json.JSONDecodeError as error:
        raise SourceError(f"{origin}: is not JSON (line {error.lineno}: {error.msg}).") from None
    except ValueError:  # Python's limit for the digits of a whole number
        raise SourceError(f"{origin}: holds a whole number with too many digits.") from None
    if not _has_form_of_plan(data):
        raise SourceError(
            f"{origin}: is not a plan. Give the JSON of `pulumi stack output plan --json` or of "
            "`ray-llm plan --json`."
        )
    if data["version"] != VERSION:
        raise SourceError(
            f"{origin}: was made by another version of this program (form {data['version']}, here "
            f"{VERSION}). Compare the stack files instead."
        )
    return cast("PlanSummary", data)


def _has_form_of_plan(data: Any) -> bool:
    """Whether all keys are there, lists and mappings where a plan has them."""
    if not isinstance(data, dict) or not PlanSummary.__required_keys__ <= data.keys():
        return False
    entries = [data["models"], data["gpuPools"], data["quota"]]
    if not all(isinstance(rows, list) for rows in entries):
        return False
    mappings = [*chain(*entries), *(data[key] for key in ("cluster", "cost", "versions"))]
    return all(isinstance(mapping, dict) and mapping for mapping in mappings)


def _opened(data: Any) -> Any:
    """What JSON strings hold: the stack output is one, and `--json` puts it into another."""
    while isinstance(data, str):
        try:
            data = json.loads(data)
        except json.JSONDecodeError:
            break
    return data
