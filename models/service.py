"""The RayService and its namespace: what a stack file says under `ray-llm:service`."""

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from models.invalid_value import InvalidValueError
from models.names import NamespaceName, RayServiceName, SecretName
from models.settings import Settings

# A host and a port, or several of a Redis cluster; Ray's own form, with which TLS is rediss://.
_ADDRESS: Final = re.compile(
    r"(rediss?://)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:(?P<port>[0-9]{1,5})"
)


class PodSecurity(StrEnum):
    """The Pod Security Standard that the namespace enforces, by the names of Kubernetes.

    BASELINE: Ray's pods are as KubeRay writes them. RESTRICTED: they have no capabilities, no way
        to more privileges, the runtime's seccomp profile, and a token of Kubernetes only if they
        need it.
    """

    BASELINE = "baseline"
    RESTRICTED = "restricted"


def _redis_address(address: str) -> str:
    match = _ADDRESS.fullmatch(address)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise InvalidValueError(
            "is not the address of a Redis server",
            "Write host:port, or rediss://host:port for TLS, without user and password",
        )
    return address


class HeadRecoverySettings(Settings):
    """Where the Ray head keeps what it knows, so that a new head goes on with it.

    redis: host and port of a Redis server that outlives the head.
    password_secret: the Secret of the namespace that holds Redis's password under the key
        `password`; None for a server without one.
    """

    redis: Annotated[str, AfterValidator(_redis_address)]
    password_secret: SecretName | None = None


class ServiceSettings(Settings):
    """The RayService and its namespace.

    head_recovery: None if the loss of the head stops every model until it has loaded again.
    """

    name: RayServiceName = "llm-serving"
    namespace: NamespaceName = "ai"
    pod_security: Annotated[PodSecurity, Field(strict=False)] = PodSecurity.BASELINE
    head_recovery: HeadRecoverySettings | None = None
