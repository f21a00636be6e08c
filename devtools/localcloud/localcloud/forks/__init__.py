"""Python processes that are forks of a process which has imported their libraries.

Any Python can import these modules by their own names, without this package.
"""

import os
import subprocess
import sys
from pathlib import Path

from localcloud.forks import pulumi_forks
from localcloud.forks.fork_client import ENVIRONMENT_BYTES
from localcloud.orphans import end_when_parent_ends
from localcloud.served_project import served_project

FOLDER = Path(__file__).parent
# What the local cloud's own providers import.
PROVIDERS = (
    "localcloud.providers.server",
    "localcloud.providers.gcp.provider",
    "localcloud.providers.kubernetes.provider",
)
# Room for a fork's process title: the server gets an argument of this length.
TITLE_BYTES = 1024


def server_command(
    python: Path, script: Path, socket: Path, environment: dict[str, str]
) -> tuple[list[str | Path], dict[str, str]]:
    """Command and environment of a fork server; `script` calls `fork_server.main`."""
    argv: list[str | Path] = [python, script, socket, " " * TITLE_BYTES]
    # fork_server.py needs this order.
    return argv, {"LANG": "C.UTF-8", **environment, "ROOM": " " * ENVIRONMENT_BYTES}


def pulumi_server_command(
    folder: Path, *, with_program: bool = False
) -> tuple[list[str | Path], dict[str, str]]:
    """Command and environment of the server for Pulumi's processes; its socket is in `folder`.

    with_program: preload the program and the providers too, which may not be edited then.
    """
    script, socket = Path(pulumi_forks.__file__), pulumi_forks.socket_path(folder)
    project = served_project()
    names = (
        (*project.preloaded, *PROVIDERS, *project.program) if with_program else project.preloaded
    )
    preloaded = {pulumi_forks.PRELOADED: " ".join(names)}
    return server_command(Path(sys.executable), script, socket, {**os.environ, **preloaded})


def start_pulumi_server(folder: Path) -> subprocess.Popen[bytes]:
    """Start the server for a test run, with which it ends; only Linux has what forks need."""
    argv, environment = pulumi_server_command(folder, with_program=True)
    return subprocess.Popen(argv, env=environment, preexec_fn=end_when_parent_ends)


def forked(code: str, folder: Path) -> str:
    """Python code that runs `code` as a fork of the server for Pulumi's processes in `folder`.

    If there is no server, it runs the code itself.
    """
    socket = str(pulumi_forks.socket_path(folder))
    return (
        f"import sys; sys.path[0] = {str(FOLDER)!r}; import fork_client; "
        f"fork_client.run_as_fork({socket!r}, {code!r}, with_parent=True); {code}"
    )
