"""The way in, decided: the gateway, its keys and limits, and who can reach it."""

from dataclasses import dataclass

from models.access import MANAGED, Exposure


@dataclass(frozen=True, kw_only=True)
class KeyPlan:
    """One team's key; its value is not here.

    models: the served names that it may ask; None for all of the plan.
    requests_per_minute: None without a limit.
    """

    team: str
    models: tuple[str, ...] | None
    requests_per_minute: int | None


@dataclass(frozen=True, kw_only=True)
class GatewayPlan:
    """The pods of the gateway: Envoy, on the CPU pool.

    max_body_mib: the largest body of a request in MiB.
    memory_mib: request and limit of a pod; it holds what Envoy takes to read the largest bodies.
    cpu_millis: request of a pod, in thousandths of a CPU.
    workers: Envoy's worker threads.
    """

    name: str
    replicas: int
    max_body_mib: int
    memory_mib: int
    cpu_millis: int
    workers: int


@dataclass(frozen=True, kw_only=True)
class AccessPlan:
    """How requests get in.

    host: the DNS name of an external gateway; None of any other.
    certificate: `managed`, or the name of a TLS Secret; None without TLS.
    keys: none means that everybody who reaches the gateway may ask every model.
    security_policy: a Cloud Armor policy; None without one.
    """

    exposure: Exposure
    host: str | None
    certificate: str | None
    keys: tuple[KeyPlan, ...]
    gateway: GatewayPlan
    security_policy: str | None = None

    @property
    def managed_certificate(self) -> bool:
        """Whether Google makes the certificate, and a GKE Gateway ends TLS."""
        return self.certificate == MANAGED

    @property
    def ends_tls(self) -> bool:
        """Whether the gateway itself ends TLS, with the certificate of a Secret."""
        return self.certificate is not None and not self.managed_certificate
