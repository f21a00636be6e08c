"""Runs a script of a workflow step beside a fake of GitHub's command line."""

import subprocess
from pathlib import Path

RECORDS = (
    '#!/bin/sh\nprintf "%s\\n" "$*" >> calls\n'
    'case "$*" in *--paginate*) printf "%s" "$THERE" ;; esac\n'
)
"""A fake that records calls, and answers the search with THERE."""

TOUCHES = "#!/bin/sh\ntouch called\n"
"""A fake that only shows that it was called."""


def run_step(
    script: str, folder: Path, gh: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs the script in a folder, as a workflow does for the stack `prod` of acme/stacks.

    gh: the fake, as a shell script; variables: of the environment.
    """
    program = folder / "gh"
    program.write_text(gh, encoding="utf-8")
    program.chmod(0o755)
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={
            "PATH": f"{folder}:/usr/bin:/bin",
            "STACK": "prod",
            "GITHUB_REPOSITORY": "acme/stacks",
            **variables,
        },
        check=False,
        capture_output=True,
        text=True,
    )
