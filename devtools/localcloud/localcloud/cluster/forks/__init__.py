"""Pythons that are forks of one which has imported their libraries.

The modules run in any Python, by their own names and without this package.
"""

import os
import sys
from pathlib import Path

from localcloud.cluster.forks import pulumi_forks
from localcloud.cluster.forks.fork_client import ENVIRONMENT_BYTES
from localcloud.served_project import served_project

FOLDER = Path(__file__).parent
# The forks show their title where the server was given these.
TITLE_BYTES = 1024


def server_command(
    python: Path, script: Path, socket: Path, environment: dict[str, str]
) -> tuple[list[str | Path], dict[str, str]]:
    """Command and environment of a fork server; `script` is what calls `fork_server.main`."""
    argv: list[str | Path] = [python, script, socket, " " * TITLE_BYTES]
    # In this order, as fork_server.py wants it.
    return argv, {"LANG": "C.UTF-8", **environment, "ROOM": " " * ENVIRONMENT_BYTES}


def pulumi_server_command(folder: Path) -> tuple[list[str | Path], dict[str, str]]:
    """Those of the server for what Pulumi starts for the cluster with this temporary folder."""
    script, socket = Path(pulumi_forks.__file__), pulumi_forks.socket_path(folder)
    preloaded = {pulumi_forks.PRELOADED: " ".join(served_project().preloaded)}
    return server_command(Path(sys.executable), script, socket, {**os.environ, **preloaded})
