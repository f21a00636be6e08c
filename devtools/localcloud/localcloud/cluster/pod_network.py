"""Where the ports of pods are on this machine.

Pods get addresses of 10.245.0.0/16 to which nothing ever connects. The ports of most are mapped to
free ports of 127.0.0.1. A pod whose files and arguments can be given another address, such as
Envoy's, has its own ports on an address of 127.64.0.0/16. Names resolve as in a cluster: a Service
through the EndpointSlices that the real controllers write, a pod by its address.
"""

import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from localcloud.cluster.kubernetes_api import KubernetesApi, Object, Store
from localcloud.cluster.ports import free_port

LOOPBACK = "127.0.0.1"
Place = tuple[str, int]
"""An address and a port of this machine."""

SERVICE_ADDRESS = re.compile(
    r"(?P<host>[a-z0-9-]+\.[a-z0-9-]+\.svc(?:\.cluster\.local)?)\.?:(?P<port>\d+)"
)


@dataclass
class PodAddress:
    """A pod's address, and the address of this machine with the ports that its ports are.

    host: an address that only this pod uses, with the pod's own ports, or 127.0.0.1.
    """

    ip: str
    host: str = LOOPBACK
    ports: dict[int, int] = field(default_factory=dict)

    def local(self, port: int) -> int:
        """The port of `host` for a port of the pod; chosen at first use."""
        if self.host != LOOPBACK:
            return port
        if port not in self.ports:
            self.ports[port] = free_port()
        return self.ports[port]

    def place(self, port: int) -> Place | None:
        """Where a port of the pod is; None for one that is not mapped."""
        if self.host != LOOPBACK:
            return self.host, port
        return (self.host, self.ports[port]) if port in self.ports else None


class PodNetwork:
    """Addresses of the pods that really run, and the names that resolve to them."""

    def __init__(self, api: KubernetesApi):
        self.services = Store(api, "/api/v1/services")
        self.slices = Store(api, "/apis/discovery.k8s.io/v1/endpointslices")
        self._pods: dict[str, PodAddress] = {}
        self._kept: dict[tuple[str, int], int] = {}
        self._numbers = itertools.count(1)

    def join(self, uid: str, *, own_host: bool = False) -> PodAddress:
        """Give a pod an address, and with `own_host` one of this machine as well."""
        if uid not in self._pods:
            number = next(self._numbers)
            rest = f"{number // 254}.{number % 254 + 1}"
            host = f"127.64.{rest}" if own_host else LOOPBACK
            self._pods[uid] = PodAddress(f"10.245.{rest}", host)
        return self._pods[uid]

    def keep_port(self, uid: str, port: int, owner: str) -> None:
        """Map a port of a pod to the local port that it had in the owner's previous pod.

        A program that resolved a name once finds the next pod there, as it would by resolving the
        name of a Service again.
        """
        address = self.join(uid)
        address.ports[port] = self._kept.setdefault((owner, port), address.local(port))

    def leave(self, uid: str) -> None:
        """Remove a pod's address."""
        self._pods.pop(uid, None)

    def resolve(self, host: str, port: int) -> Place | None:
        """Where `host:port` is on this machine, or None if nothing listens there (yet).

        For a Service, a random one of its pods is chosen, as kube-proxy does.
        """
        found = self.resolve_all(host, port)
        return random.choice(found) if found else None  # noqa: S311 - not a secret

    def resolve_all(self, host: str, port: int) -> list[Place]:
        """Where `host:port` is on this machine, the oldest pod first."""
        for pod in self._pods.values():
            if pod.ip == host:
                place = pod.place(port)
                return [place] if place else []
        name, _, rest = host.partition(".")
        namespace = rest.partition(".")[0]
        service = self.services.objects.get((namespace, name))
        if service is None:
            return []
        ages = {pod.ip: age for age, pod in enumerate(self._pods.values())}
        endpoints = [pod for pod in self._endpoints(service, port) if pod[0] in ages]
        endpoints.sort(key=lambda endpoint: ages[endpoint[0]])
        return [place for ip, target in endpoints for place in self.resolve_all(ip, target)]

    def _endpoints(self, service: Object, port: int) -> Iterator[tuple[str, int]]:
        """Addresses and ports of the pods that are ready."""
        metadata = service["metadata"]
        names = [p.get("name", "") for p in service["spec"].get("ports", []) if p["port"] == port]
        for (namespace, _), endpoint_slice in self.slices.objects.items():
            labels = endpoint_slice["metadata"].get("labels", {})
            if (
                namespace != metadata["namespace"]
                or labels.get("kubernetes.io/service-name") != metadata["name"]
            ):
                continue
            targets = [
                p["port"] for p in endpoint_slice.get("ports") or [] if p.get("name", "") in names
            ]
            for endpoint in endpoint_slice.get("endpoints") or []:
                if endpoint.get("conditions", {}).get("ready") is False:
                    continue
                for target in targets or [port]:
                    yield endpoint["addresses"][0], target

    def localize(self, text: str) -> str:
        """Replace every `service.namespace.svc...:port` by `127.0.0.1:port` of this machine.

        Raises LookupError with the first name that does not resolve yet.
        """

        def replace(match: re.Match[str]) -> str:
            place = self.resolve(match["host"], int(match["port"]))
            if place is None:
                raise LookupError(match[0])
            return "{}:{}".format(*place)

        return SERVICE_ADDRESS.sub(replace, text)
