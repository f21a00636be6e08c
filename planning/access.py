"""The way in, decided: the gateway, its keys and limits, and who can reach it."""

from dataclasses import dataclass
from typing import Final

from models.access import MANAGED, AccessSettings, Exposure

_REPLICAS: Final = 2  # one can go, with its node or for a rollout
_WORKERS: Final = 2
# What a replica uses at a few hundred requests a second; without a limit it may use more.
_CPU_MILLIS: Final = 250
# Envoy 1.40 at rest, measured on x86-64, 2026-11: 68 MiB.
_AT_REST_MIB: Final = 68
# Reading `model` from a body takes 6 to 7 times its size for one long string, as an image is, and
# 91 times for an array of numbers of one digit, the most expensive form that was found: 363 MiB for
# 4 MiB; of five digits, as token input is, 32 times (Envoy 1.40's json_to_metadata, measured
# 2026-11). A worker reads one body at a time.
_READING_FACTOR: Final = 92
# Bodies that have come in while others are read, or that the backend has not yet taken.
_BODIES_HELD: Final = 32
_STEP_MIB: Final = 64


@dataclass(frozen=True, kw_only=True)
class KeyPlan:
    """One team's key; its value is not here.

    secret_manager: the secret of Secret Manager that holds it; None if the stack file does.
    models: the served names that it may ask; None for all of the plan.
    requests_per_minute: None without a limit.
    """

    team: str
    models: tuple[str, ...] | None
    requests_per_minute: int | None
    secret_manager: str | None = None


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


def access_plan(settings: AccessSettings, service: str) -> AccessPlan:
    """How requests get in; what the exposure cannot use was found by the checks, and is left out.

    service: the name of the RayService, from which the gateway's own name comes.
    """
    external = settings.exposure is Exposure.EXTERNAL
    return AccessPlan(
        exposure=settings.exposure,
        host=settings.host if external else None,
        certificate=settings.certificate if external else None,
        keys=tuple(
            KeyPlan(
                team=team,
                models=key.models,
                secret_manager=key.key.secret_manager,
                requests_per_minute=key.requests_per_minute or settings.limits.requests_per_minute,
            )
            for team, key in settings.keys.items()
        ),
        gateway=GatewayPlan(
            name=f"{service}-gateway",
            replicas=_REPLICAS,
            max_body_mib=settings.max_body_mib,
            memory_mib=gateway_memory_mib(settings.max_body_mib),
            cpu_millis=_CPU_MILLIS,
            workers=_WORKERS,
        ),
        security_policy=settings.security_policy if external else None,
    )


def gateway_memory_mib(max_body_mib: int) -> int:
    """Memory of a gateway's pod in MiB, in steps of 64: at rest, reading, and bodies held.

    8 MiB need 1,856 MiB, 32 MiB need 7,040: each worker may read a body of the largest size in the
    most expensive form, and the allocator keeps what it has taken once.
    """
    needed = _AT_REST_MIB + (_WORKERS * _READING_FACTOR + _BODIES_HELD) * max_body_mib
    return -(-needed // _STEP_MIB) * _STEP_MIB
