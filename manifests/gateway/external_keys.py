"""Writes the order for the keys' Secret if the keys are kept in Google Secret Manager.

The External Secrets Operator writes the file of the keys from a template, so that no key passes
through Pulumi.
"""

from typing import Any, Final

from manifests.external_secrets import external_secret
from manifests.gateway.keys import keys_file
from manifests.gateway.places import KEYS_FILE
from models.access import SHORTEST_KEY
from planning import AccessPlan, Plan

# What a key may be. A quote or a backslash would end the text that it stands in; no backslash
# here either, because this stands in a file of JSON. A key that does not fit keeps the whole
# Secret as it was, and the ExternalSecret says whose it is.
_KEY: Final = f"^[!#-Z^-~]{{{SHORTEST_KEY},512}}$"


def external_keys(plan: Plan, access: AccessPlan, secret: str) -> dict[str, Any] | None:
    """The ExternalSecret that keeps the keys' Secret; None if the keys are in the stack file.

    secret: name of the Secret. Names in the template are numbers, because a team's name may hold a
    hyphen, which no name there may have.
    """
    places = {key.team: key.secret_manager for key in access.keys}
    sources = {f"k{at}": place for at, place in enumerate(places.values()) if place is not None}
    if not sources:
        return None
    values = {team: _checked(f"k{at}", team) for at, team in enumerate(places)}
    return external_secret(
        plan,
        secret,
        sources,
        # A key that is taken away has to be so within a minute.
        refresh="30s",
        template={"engineVersion": "v2", "data": {KEYS_FILE: keys_file(access, values)}},
    )


def _checked(name: str, team: str) -> str:
    """The template's text for a key, without the line end that shells leave behind a secret."""
    return (
        f"{{{{ if not (regexMatch `{_KEY}` (trim .{name})) }}}}"
        f"{{{{ fail `the key of {team} cannot be used` }}}}{{{{ end }}}}"
        f"{{{{ trim .{name} }}}}"
    )
