"""The plan of a stack as it was in a git revision."""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from planning import Plan
from reports.sources import SourceError, plan_of_file, stack_path


def plan_of_revision(
    revision: str, stack: str, directory: Path, assume_token: bool = False
) -> Plan | None:
    """The plan of a stack in a git revision; None if the revision has no file of the stack.

    Reads the whole directory of that revision, because a stack file may name other files.
    Raises SourceError if git does not know the revision, StackError as `plan_of_file`.
    """
    # The hash, so that a revision that looks like an option is not taken for one.
    named = _git(
        directory, revision, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"
    )
    archive = _git(
        directory, revision, "archive", "--format=tar", named.decode().strip(), "--", "."
    )
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        path = stack_path(stack, Path(folder))
        if not path.exists():
            return None
        return plan_of_file(path, assume_token)


def _git(directory: Path, revision: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        raise SourceError("git: is not installed. Install it, or compare two files.") from None
    if done.returncode:
        printed = done.stderr.decode(errors="replace").strip().splitlines()
        raise SourceError(
            f"git: {arguments[0]} of {revision}: "
            f"{printed[-1].removeprefix('fatal: ') if printed else 'failed'}. Name a revision that "
            "this clone has, such as origin/main or a commit; in CI fetch it first "
            "(actions/checkout with fetch-depth: 0)."
        )
    return done.stdout
