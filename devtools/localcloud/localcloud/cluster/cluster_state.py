"""The state of a cluster as other processes see it: whether it is up, and its addresses.

`cluster.json` is a pid file with more fields. The supervisor writes it when it
starts and completes it when everything is healthy. The file is stale if its
process is gone or its process id now belongs to another process.
"""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from localcloud.store import write_atomically


@dataclass(frozen=True)
class ClusterState:
    """One cluster's supervisor and addresses; all addresses are on 127.0.0.1."""

    folder: Path
    pid: int
    process_started: float
    mark: str
    temp: str
    ready: bool = False
    ray: tuple[str, ...] = ()
    kubeconfig: str = ""
    api_server: str = ""
    serve: str = ""
    dashboard: str = ""
    proxy: str = ""
    github: str = ""
    provider: str = ""

    @property
    def stacks(self) -> Path:
        """Google's records and Pulumi's state of the stacks deployed to this cluster."""
        return self.folder / "stacks"

    @property
    def buckets(self) -> Path:
        """One folder per bucket of Cloud Storage; see buckets.py."""
        return self.folder / "buckets"

    @property
    def claims(self) -> Path:
        """One folder per PersistentVolumeClaim that a pod has mounted; see volumes.py."""
        return self.folder / "claims"

    @property
    def control_plane(self) -> Path:
        """Certificates and credentials; see control_plane.py."""
        return self.folder / "control-plane"

    @classmethod
    def of_this_process(cls, folder: Path, mark: str, temp: Path) -> "ClusterState":
        """The state that a supervisor starts with."""
        me = psutil.Process()
        return cls(
            folder=folder,
            pid=me.pid,
            process_started=me.create_time(),
            mark=mark,
            temp=str(temp),
        )

    @classmethod
    def read(cls, folder: Path) -> "ClusterState | None":
        """The state in a folder, or None if no cluster was ever started there."""
        try:
            content = json.loads((folder / "cluster.json").read_text(encoding="utf-8"))
            return cls(**{**content, "folder": folder, "ray": tuple(content.get("ray", ()))})
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self) -> None:
        """Write the state atomically."""
        content = {key: value for key, value in asdict(self).items() if key != "folder"}
        write_atomically(self.folder / "cluster.json", json.dumps(content, indent=1) + "\n")

    def with_addresses(self, **addresses: Any) -> "ClusterState":
        """The state of the cluster once it is ready."""
        return replace(self, ready=True, **addresses)

    def supervisor(self) -> psutil.Process | None:
        """The supervisor's process, or None if the state is stale."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_started) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def forget(self) -> None:
        """Remove the file, the temporary folder, stacks and volumes of a cluster that is down."""
        for folder in (Path(self.temp), self.stacks, self.buckets, self.claims):
            shutil.rmtree(folder, ignore_errors=True)
        (self.folder / "cluster.json").unlink(missing_ok=True)
