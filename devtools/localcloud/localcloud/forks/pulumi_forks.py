"""The fork server for the Python processes that Pulumi starts for the local cluster and for tests.

They would spend most of their time importing Pulumi's SDKs and the program's libraries, which
[tool.localcloud] of the repository lists. The program and the local cloud may be edited while the
cluster is up, so there each fork imports them itself; a test run preloads them too. A fork server
is not used after its Python environment has changed.
"""

import importlib
import os
import pkgutil
import sys
import sysconfig
from pathlib import Path

# The variable with the names of the modules and objects to preload.
PRELOADED = "PRELOADED"


def socket_path(folder: Path) -> Path:
    """The server's socket in a cluster's folder; installing or removing a package changes it."""
    changed = Path(sysconfig.get_path("purelib")).stat().st_mtime_ns
    return folder / f"pulumi-forks-{changed}"


def preload() -> None:
    """Import what these processes import."""
    for name in os.environ[PRELOADED].split():
        pkgutil.resolve_name(name)


if __name__ == "__main__":
    # From this script's folder. It must not import the package, which the forks import afresh.
    importlib.import_module("fork_server").main(sys.argv[1], preload, lambda: None)
