"""The pods of a real service, as the local cluster runs them."""

import contextlib
from ipaddress import ip_address

import psutil
import pytest

from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import NAMESPACE
from tests.cluster.running import Cluster
from tests.cluster.service import Service

pytestmark = pytest.mark.cluster


def test_everything_listens_on_loopback_only(cluster: Cluster, deployed_service: Service) -> None:
    """Including Ray's processes, which serve two models here."""
    listening: dict[str, set[str]] = {}
    for process in [*cluster.processes(), psutil.Process(cluster.state.pid)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            connections = process.net_connections("inet")
            found = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
            listening.setdefault(process.name(), set()).update(found)
    assert listening["raylet"]
    addresses = {ip_address(text) for text in set().union(*listening.values())}
    # An Envoy's pod has an address of its own in 127.0.0.0/8, and some programs listen on an IPv4
    # address as one of IPv6.
    assert all((getattr(ip, "ipv4_mapped", None) or ip).is_loopback for ip in addresses), addresses


def test_a_pod_that_is_wrongly_marked_not_ready_is_reported_again(
    cluster: Cluster, deployed_service: Service
) -> None:
    """The node controller marks pods if a busy API server does not receive a node's status."""
    (head,) = cluster.ray_pods("headgroup")
    path = f"{NAMESPACE}/pods/{head['metadata']['name']}"
    not_ready = {"type": "Ready", "status": "False", "reason": "NodeNotReady"}
    cluster.api(lambda api: api.patch_status(path, {"conditions": [not_ready]}))

    def is_ready() -> bool:
        conditions = cluster.get(path)["status"]["conditions"]
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    eventually(is_ready, "the pod is ready again", seconds=10)
