"""Pythons that are forks of one which has imported their libraries.

The modules run in any Python, by their own names and without this package.
"""

from pathlib import Path

from localcloud.cluster.forks.fork_client import ENVIRONMENT_BYTES

FOLDER = Path(__file__).parent
# The forks show their title where the server was given these.
TITLE_BYTES = 1024


def server_command(
    python: Path, script: Path, socket: Path, environment: dict[str, str]
) -> tuple[list[str | Path], dict[str, str]]:
    """Command and environment of a fork server; `script` is what calls `fork_server.main`.

    The first variable of `environment` has to be LANG: see fork_server.py.
    """
    room = {"ROOM": " " * ENVIRONMENT_BYTES}
    return [python, script, socket, " " * TITLE_BYTES], environment | room
