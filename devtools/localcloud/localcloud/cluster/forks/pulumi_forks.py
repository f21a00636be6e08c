"""The Pythons that Pulumi starts for the local cluster are forks of this one (fork_server.py).

Most of their time would go into importing Pulumi's SDKs and the program's libraries, which
[tool.localcloud] of the repository names. What may be edited while the cluster is up, the program
and the local cloud itself, is imported by the fork; and a fork server whose environment was changed
since is not asked.
"""

import importlib
import os
import pkgutil
import sys
import sysconfig
from pathlib import Path

# The variable with the names of what is preloaded.
PRELOADED = "PRELOADED"


def socket_path(folder: Path) -> Path:
    """Where to ask in a cluster's folder; another path once a package is installed or removed."""
    changed = Path(sysconfig.get_path("purelib")).stat().st_mtime_ns
    return folder / f"pulumi-forks-{changed}"


def preload() -> None:
    """Import what such a Python imports."""
    for name in os.environ[PRELOADED].split():
        pkgutil.resolve_name(name)


if __name__ == "__main__":
    # Beside this script, which may not import the package: the forks import that anew.
    importlib.import_module("fork_server").main(sys.argv[1], preload, lambda: None)
