"""What all pods of a cluster share, because all nodes are this machine."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """What every pod on this machine shares."""

    ray: Path
    standins: Path
    vllm_arguments: Path
    fork_server: Path
    pods: Path
    logs: Path
    temp: Path
    faults: Path
    mark: str
    proxy_port: int
    api_port: int
