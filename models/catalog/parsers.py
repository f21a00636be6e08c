"""Which parser of tool calls or reasoning goes with a family of models: parsers.yaml."""

from collections.abc import Mapping
from functools import cache

from models.catalog import data_file
from models.catalog.vllm_release import closed_values


@cache
def parser_names() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return the parsers of each family by the argument that names them, the newest name first."""
    content = data_file.read("parsers.yaml")
    return {
        argument: {family: tuple(names) for family, names in families.items()}
        for argument, families in content.items()
    }


def usual_parser(argument: str, model_type: str, vllm: str) -> str | None:
    """Return the parser that a vLLM release registers for a family; None if none is known."""
    registered = closed_values(vllm)[argument]
    names = parser_names()[argument].get(model_type, ())
    return next((name for name in names if name in registered), None)
