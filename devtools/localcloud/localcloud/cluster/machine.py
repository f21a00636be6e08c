"""What all pods of a cluster share, because all nodes are this machine."""

from dataclasses import dataclass
from pathlib import Path

from localcloud.cluster.buckets import Buckets
from localcloud.cluster.ray_environments import RayEnvironment
from localcloud.cluster.service_forwards import ServiceForwards
from localcloud.cluster.start_delays import NodeImages


@dataclass(frozen=True)
class Machine:
    """What every pod on this machine shares."""

    ray: tuple[RayEnvironment, ...]
    forwards: ServiceForwards
    buckets: Buckets
    claims: Path
    images: NodeImages
    pods: Path
    logs: Path
    temp: Path
    faults: Path
    mark: str
    hub: Path
    hub_port: int
    proxy_port: int
    api_port: int
