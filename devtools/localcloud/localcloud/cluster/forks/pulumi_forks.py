"""The Pythons that Pulumi starts for the local cluster are forks of this one (fork_server.py).

Most of their time would go into importing Pulumi's SDKs and the program's libraries. What may be
edited while the cluster is up, the program and the local cloud itself, is imported by the fork; and
a fork server whose environment was changed since is not asked.
"""

import pkgutil
import sys
import sysconfig
from pathlib import Path

# Pulumi's packages import their parts when something of these is first used.
PRELOADED = (
    "google.protobuf.json_format",
    "pulumi.runtime",
    "pulumi_gcp.container:Cluster",
    "pulumi_gcp.container:NodePool",
    "pulumi_kubernetes.apiextensions:CustomResource",
    "pulumi_kubernetes.batch.v1:Job",
    "pulumi_kubernetes.core.v1:ConfigMap",
    "pulumi_kubernetes.helm.v3:Release",
    "pulumi_kubernetes.meta.v1:ObjectMetaArgs",
    "pulumi_kubernetes.rbac.v1:Role",
    "pulumi_kubernetes.yaml.v2:ConfigGroup",
    "pydantic:BaseModel",
    "pydantic:TypeAdapter",
    "rich.console",
    "rich.table",
)


def socket_path(folder: Path) -> Path:
    """Where to ask in a cluster's folder; another path once a package is installed or removed."""
    changed = Path(sysconfig.get_path("purelib")).stat().st_mtime_ns
    return folder / f"pulumi-forks-{changed}"


def preload() -> None:
    """Import what such a Python imports."""
    for name in PRELOADED:
        pkgutil.resolve_name(name)


if __name__ == "__main__":
    import fork_server

    fork_server.main(sys.argv[1], preload, lambda: None)
