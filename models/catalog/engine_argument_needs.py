"""Engine arguments that vLLM refuses unless another one says something.

Rows are in engine_argument_needs.yaml, each with what refuses it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from models.catalog import data_file
from models.facts import Facts


class ArgumentNeed(Facts):
    """One row: what the `values` of an argument, or all `unless` some, need of another one.

    `needs`: the values that suffice, by the name of the other argument; any if there are none.
    """

    argument: str
    values: tuple[Any, ...] | None = None
    unless: tuple[Any, ...] = ()
    needs: Mapping[str, tuple[Any, ...]]
    source: str

    def asked_by(self, value: Any) -> bool:
        """Whether a value of the argument asks for the other one."""
        return value in self.values if self.values is not None else value not in self.unless

    def missing(self, engine: Mapping[str, Any]) -> str | None:
        """The other argument if these arguments do not say what is needed of it, else None."""
        for name, enough in self.needs.items():
            stated = engine.get(name)
            if stated is None or (enough and stated not in enough):
                return name
        return None


@cache
def argument_needs() -> tuple[ArgumentNeed, ...]:
    """Return the rows of the table."""
    rows = data_file.read("engine_argument_needs.yaml")
    return tuple(ArgumentNeed.model_validate(row) for row in rows)
