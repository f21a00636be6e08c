"""The base of the types that hold facts: rows of the catalogue and what a config.json says."""

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    """Frozen facts in which no key is unknown.

    Pydantic makes the validator of a type at the first use: a plan needs only some of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
