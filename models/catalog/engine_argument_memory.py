"""What each engine argument of the pinned vLLM releases does to the memory of a GPU.

The lists are in engine_argument_memory.yaml. The estimate computes with some arguments, others
change nothing, and of the rest the estimate does not say by how much they change it.
"""

from collections.abc import Mapping
from functools import cache

from models.catalog import data_file
from models.facts import Facts


class ArgumentsByMemory(Facts):
    """The engine arguments of all pinned releases, each in exactly one of the three.

    not_understood: what the argument changes, as the rest of a sentence, by its name.
    usual_values: values of those arguments that change nothing, by name.
    """

    modelled: frozenset[str]
    unaffected: frozenset[str]
    not_understood: Mapping[str, str]
    usual_values: Mapping[str, tuple[str | int, ...]]


@cache
def arguments_by_memory() -> ArgumentsByMemory:
    """Return the three lists."""
    rows = data_file.read("engine_argument_memory.yaml")
    return ArgumentsByMemory(
        modelled=frozenset(rows["modelled"]),
        unaffected=frozenset(rows["unaffected"]),
        not_understood=rows["not_understood"],
        usual_values={name: tuple(values) for name, values in rows["usual_values"].items()},
    )
