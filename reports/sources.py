"""Where a plan comes from when no engine runs: a stack file, a git revision, or an earlier output.

All of them end as a `PlanSummary`, which is also what `pulumi stack output plan --json` prints.
"""

import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, cast

from models.reading import NAMESPACE, TOKEN_KEY, read_stack
from models.stack_file import read_stack_file
from planning import Plan, make_plan
from reports.plan_data import VERSION, PlanSummary, plan_summary

_TOKEN_KEY = f"{NAMESPACE}:{TOKEN_KEY}"


class SourceError(Exception):
    """Something that holds no plan and no stack file; its text says why and what to do."""


def stack_path(stack: str, directory: Path) -> Path:
    """The file of a stack."""
    return directory / f"Pulumi.{stack}.yaml"


def plan_of_file(path: Path, assume_token: bool = False) -> Plan:
    """The plan of a stack file.

    assume_token: as if the file held an encrypted Hugging Face token, for places that have none.
    Raises StackFileError where it cannot be read and StackError where it cannot be deployed.
    """
    file = read_stack_file(path)
    values, secret_keys = dict(file.values), file.secret_keys
    if assume_token and _TOKEN_KEY not in values:
        values[_TOKEN_KEY] = None
        secret_keys = secret_keys | {_TOKEN_KEY}
    return make_plan(read_stack(file.stack, values, secret_keys, path.parent))


def summary_of_revision(
    revision: str, stack: str, directory: Path, assume_token: bool = False
) -> PlanSummary | None:
    """The plan of a stack as it stood in a git revision; None where the stack was not there yet.

    The whole folder of that revision is looked at, because a stack file may name others.
    Raises SourceError where git does not know the revision, StackError as `plan_of_file`.
    """
    # The hash, because a revision that looks like an option must not become one.
    named = _git(directory, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    archive = _git(directory, "archive", "--format=tar", named.decode().strip(), "--", ".")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        path = stack_path(stack, Path(folder))
        if not path.exists():
            return None
        return plan_summary(plan_of_file(path, assume_token))


def _git(directory: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        raise SourceError("git: is not installed. Install it, or compare two files.") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SourceError(
            f"git: {said[-1] if said else 'failed'}. Name a revision that this clone has; in CI "
            "fetch it first (actions/checkout with fetch-depth: 0)."
        )
    return done.stdout


def summary_of_file(path: Path, assume_token: bool = False) -> PlanSummary:
    """The plan of a stack file, or the plan that a JSON file holds."""
    if path.suffix == ".json":
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{path}: cannot be read ({error}).") from None
        return summary_of_json(text, str(path))
    return plan_summary(plan_of_file(path, assume_token))


def summary_of_json(text: str, origin: str) -> PlanSummary:
    """The plan in the JSON of `pulumi stack output plan --json` or `python -m reports --json`.

    Raises SourceError where it is none.
    """
    try:
        data = _opened(json.loads(text))
    except json.JSONDecodeError as error:
        raise SourceError(f"{origin}: is not JSON (line {error.lineno}: {error.msg}).") from None
    if isinstance(data, dict) and "plan" in data:
        data = _opened(data["plan"])  # all outputs of the stack
    if not isinstance(data, dict) or not PlanSummary.__required_keys__ <= data.keys():
        raise SourceError(
            f"{origin}: holds no plan. Give the JSON of `pulumi stack output plan --json` or of "
            "`python -m reports --json`."
        )
    if data["version"] != VERSION:
        raise SourceError(
            f"{origin}: was made by another version of this program (form {data['version']}, here "
            f"{VERSION}). Compare the stack files instead."
        )
    return cast("PlanSummary", data)


def _opened(data: Any) -> Any:
    """What JSON strings hold: the stack output is one, and `--json` puts it into another."""
    while isinstance(data, str):
        try:
            data = json.loads(data)
        except json.JSONDecodeError:
            break
    return data
