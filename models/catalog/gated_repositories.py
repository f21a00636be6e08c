"""Which repositories of Hugging Face are gated, as far as their names say it.

Rows are in gated_repositories.yaml. A gated repository is downloaded with the token of an account
that has accepted its terms.
"""

from enum import StrEnum
from functools import cache

from models.catalog import data_file
from models.facts import Facts


class Gating(StrEnum):
    """Whether a repository needs a token."""

    YES = "yes"
    PERHAPS = "perhaps"
    NO = "no"


class GatedPrefix(Facts):
    """Repositories whose names start alike: all of them are gated, or some at times."""

    prefix: str
    certain: bool
    source: str


@cache
def gated_prefixes() -> tuple[GatedPrefix, ...]:
    """Return the rows of the table."""
    return tuple(
        GatedPrefix.model_validate(row) for row in data_file.read("gated_repositories.yaml")
    )


def gating(source: str) -> Gating:
    """Return what is known of a repository by its name; NO if nothing is."""
    for row in gated_prefixes():
        if source.lower().startswith(row.prefix.lower()):
            return Gating.YES if row.certain else Gating.PERHAPS
    return Gating.NO
