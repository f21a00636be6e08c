"""Python processes that are forks of a process which has imported their libraries.

Any Python can import these modules by their own names, without this package.
"""

import os
import sys
from pathlib import Path

from localcloud.cluster.forks import pulumi_forks
from localcloud.cluster.forks.fork_client import ENVIRONMENT_BYTES
from localcloud.served_project import served_project

FOLDER = Path(__file__).parent
# Room for a fork's process title: the server gets an argument of this length.
TITLE_BYTES = 1024


def server_command(
    python: Path, script: Path, socket: Path, environment: dict[str, str]
) -> tuple[list[str | Path], dict[str, str]]:
    """Command and environment of a fork server; `script` calls `fork_server.main`."""
    argv: list[str | Path] = [python, script, socket, " " * TITLE_BYTES]
    # fork_server.py needs this order.
    return argv, {"LANG": "C.UTF-8", **environment, "ROOM": " " * ENVIRONMENT_BYTES}


def pulumi_server_command(folder: Path) -> tuple[list[str | Path], dict[str, str]]:
    """Command and environment of the server for Pulumi's processes; `folder` is the cluster's."""
    script, socket = Path(pulumi_forks.__file__), pulumi_forks.socket_path(folder)
    preloaded = {pulumi_forks.PRELOADED: " ".join(served_project().preloaded)}
    return server_command(Path(sys.executable), script, socket, {**os.environ, **preloaded})
