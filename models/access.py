"""The way in: what a stack file says under `ray-llm:access`.

The values of keys are not here: they are secrets, and they go from the configuration to the cluster
without passing through settings, plan or reports.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from models.invalid_value import InvalidValueError
from models.names import NonEmpty, PolicyName, ServedName, TeamName
from models.secret_forms import HIDDEN
from models.settings import Settings
from models.token_reference import SecretManagerName

MANAGED: Final = "managed"
"""The `certificate` that Google makes and renews."""


SHORTEST_KEY: Final = 24  # characters

ENCRYPTED: Final[Mapping[str, str]] = {"secure": HIDDEN}
"""What is read in place of an encrypted value."""


class Exposure(StrEnum):
    """From where the gateway can be reached.

    NONE: from inside the cluster. INTERNAL: from the VPC network, by GKE's internal load balancer.
    EXTERNAL: from the internet, by HTTPS.
    """

    NONE = "none"
    INTERNAL = "internal"
    EXTERNAL = "external"


class LimitSettings(Settings):
    """What a key may ask for; a key may have its own."""

    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class KeySource(Settings):
    """Where a key is kept: encrypted in the stack file, or in Secret Manager. It is not here.

    secret_manager: a secret of the stack's project; None for a key in the stack file.
    """

    secure: Literal["[secret]"] | None = None
    secret_manager: SecretManagerName | None = None


class KeySettings(Settings):
    """What one team's key may do.

    key: where the key is kept.
    models: the served names that it may ask; None for all.
    requests_per_minute: None for the limit of all keys.
    """

    key: KeySource = KeySource(secure=HIDDEN)
    models: Annotated[tuple[ServedName, ...], Field(strict=False, min_length=1)] | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class AccessSettings(Settings):
    """The gateway: who may ask, from where, and how much.

    host: the DNS name of an external gateway.
    certificate: `managed`, or the name of a Secret of type kubernetes.io/tls in the service's
        namespace.
    keys: by the team's name.
    max_body_mib: the largest body of a request in MiB. The gateway's memory follows from it.
    security_policy: a Cloud Armor policy of the project, for an external gateway.
    """

    exposure: Annotated[Exposure, Field(strict=False)] = Exposure.NONE
    host: NonEmpty | None = None
    certificate: NonEmpty | None = None
    keys: Mapping[TeamName, KeySettings] = Field(default_factory=dict)
    limits: LimitSettings = LimitSettings()
    max_body_mib: Annotated[int, Field(ge=1, le=32)] = 8
    security_policy: PolicyName | None = None

    @model_validator(mode="after")
    def _keys_in_one_place(self) -> "AccessSettings":
        places = {key.key.secret_manager is None for key in self.keys.values()}
        if len(places) > 1:
            raise InvalidValueError(
                "keeps some keys in the stack file and some in Secret Manager, and one file holds "
                "all of them for the gateway",
                "Keep all keys in one of the two",
            )
        return self
