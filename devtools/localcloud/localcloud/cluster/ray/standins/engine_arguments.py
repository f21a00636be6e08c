"""The arguments of vLLM's engine and front end, with the names and types of one release.

They are read from the file that VLLM_ARGUMENTS names. It belongs to the project's
catalogue of what each vLLM release accepts and is made from vLLM's source.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

import yaml

_TYPES: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "dict": dict,
    "list": list,
    "none": type(None),
}
CATALOGUE: dict[str, Any] = yaml.load(
    Path(os.environ["VLLM_ARGUMENTS"]).read_text(), yaml.CSafeLoader
)


def check(name: str, value: Any, declared: str) -> None:
    """Raise ValueError unless the value has one of the declared types and values.

    `declared` is written as in the catalogue: `str|none [auto, fp8]`.
    """
    types, _, values = declared.partition(" ")
    allowed = [_TYPES[word] for word in types.split("|")]
    if type(value) not in allowed:
        raise ValueError(f"{name}: {value!r} is {type(value).__name__}, vLLM takes {types}")
    choices = yaml.safe_load(values) if values else None
    if choices and value is not None and value not in choices:
        raise ValueError(f"{name}: {value!r} is not one of {choices}")


class _Unset:
    """The value of an argument that is not set."""

    def __reduce__(self) -> str:
        return "UNSET"


UNSET = _Unset()


def dataclass_of(name: str, module: str, arguments: dict[str, str]) -> type:
    """A dataclass with these arguments as fields; those that are set are checked."""

    def check_all(self: Any) -> None:
        for argument, value in settings(self).items():
            check(argument, value, arguments[argument])

    made = dataclasses.make_dataclass(
        name,
        [(argument, Any, dataclasses.field(default=UNSET)) for argument in arguments],
        namespace={
            "__post_init__": check_all,
            "create_engine_config": lambda self, **_: settings(self),
        },
    )
    made.__module__ = module
    return made


def settings(arguments: Any) -> dict[str, Any]:
    """The arguments that are set."""
    return {name: value for name, value in vars(arguments).items() if value is not UNSET}


def async_engine_args(module: str) -> type:
    """`AsyncEngineArgs`, which vLLM defines in this module."""
    return dataclass_of("AsyncEngineArgs", module, CATALOGUE["engine_arguments"])


def frontend_args(module: str) -> type:
    """`FrontendArgs`, the arguments of vLLM's own HTTP server, which it defines in this module."""
    # Ray Serve accepts most of them and does not use them, so their types do not matter.
    unused = dict.fromkeys(CATALOGUE["front_end_arguments"], "|".join(_TYPES))
    return dataclass_of("FrontendArgs", module, {**CATALOGUE["serving_arguments"], **unused})
