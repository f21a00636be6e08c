"""The Hugging Face token by reference: kept elsewhere, so that no state of Pulumi holds it."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, model_validator

from models.invalid_value import InvalidValueError
from models.names import SecretName
from models.settings import Settings

# https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,255}(/versions/([1-9][0-9]*|latest))?")


def _secret_manager_name(name: str) -> str:
    if not _SECRET.fullmatch(name):
        raise InvalidValueError(
            "is not the name of a secret of Secret Manager",
            "Write its name of letters, digits, '-' and '_', and after it /versions/3 for one "
            "version; the project is that of the stack",
        )
    return name


SecretManagerName = Annotated[str, AfterValidator(_secret_manager_name)]
"""A secret of the stack's project, `NAME` for its latest version or `NAME/versions/N`."""


class TokenReference(Settings):
    """Where the Hugging Face token is kept; one of the two.

    existing_secret: a Secret of the service's namespace with the token under the key `token`.
    secret_manager: a secret of Google Secret Manager, which the External Secrets Operator copies
        into the namespace.
    """

    existing_secret: SecretName | None = None
    secret_manager: SecretManagerName | None = None

    @model_validator(mode="after")
    def _one(self) -> "TokenReference":
        if (self.existing_secret is None) == (self.secret_manager is None):
            raise InvalidValueError(
                "names neither a Secret nor a secret of Secret Manager"
                if self.existing_secret is None
                else "names both a Secret and a secret of Secret Manager",
                "Write existingSecret or secretManager, one of them",
                *(
                    (("existingSecret", None), ("secretManager", None))
                    if self.existing_secret is not None
                    else ()
                ),
            )
        return self


def secret_and_version(name: SecretManagerName) -> tuple[str, str]:
    """The secret's own name, and its version, `latest` if none is named."""
    secret, _, version = name.partition("/versions/")
    return secret, version or "latest"
