"""What each pinned vLLM release accepts: engine arguments, quantization, architectures.

There is one file for each release under vllm/. scripts/vllm_facts makes it from the release's
source without running it; nothing in it is written by hand.
"""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from models.catalog import data_file
from models.catalog.releases import ray_releases
from models.facts import Facts


class EngineArgument(Facts):
    """One argument of vLLM that an LLM config's `engine_kwargs` may hold.

    `types` are the YAML types it takes: int, float, bool, str, list, dict, none.
    `choices` are the only strings or numbers that it takes, None if any is accepted.
    """

    name: str
    types: tuple[str, ...]
    choices: tuple[str | int, ...] | None = None


class QuantizationMethod(Facts):
    """One quantization method: the least compute capability (75 is 7.5) and activation dtypes.

    None if the source does not state it in a form that can be read without running it.
    """

    name: str
    min_capability: int | None
    activation_dtypes: tuple[str, ...] | None


def vllm_versions() -> tuple[str, ...]:
    """Return the vLLM versions of the release table, oldest first."""
    return tuple(release.vllm for release in ray_releases().values())


@cache
def _facts(version: str) -> dict[str, Any]:
    if version not in vllm_versions():
        known = ", ".join(vllm_versions())
        msg = f"vLLM {version} is not in the release table; known are {known}"
        raise KeyError(msg)
    facts: dict[str, Any] = data_file.read(f"vllm/{version}.yaml")
    return facts


@cache
def engine_arguments(version: str) -> Mapping[str, EngineArgument]:
    """Return the engine arguments (AsyncEngineArgs) of a vLLM version by name."""
    return _arguments(version, "engine_arguments")


@cache
def serving_arguments(version: str) -> Mapping[str, EngineArgument]:
    """Return the front-end arguments that have an effect under Ray Serve, by name.

    Ray runs vLLM's request handlers (chat templates, tool parsers) but not its HTTP server,
    and takes these arguments among the engine's.
    """
    return _arguments(version, "serving_arguments")


def _arguments(version: str, section: str) -> Mapping[str, EngineArgument]:
    rows = _facts(version)[section]
    return MappingProxyType({name: _argument(name, text) for name, text in rows.items()})


_ARGUMENT = re.compile(r"(?P<types>[a-z|]+)(?: \[(?P<choices>.*)\])?")


def _argument(name: str, text: str) -> EngineArgument:
    """Read the types, joined by `|`, and the choices in brackets."""
    match = _ARGUMENT.fullmatch(text)
    if match is None:
        msg = f"engine argument {name} cannot be read: {text!r}"
        raise ValueError(msg)
    choices = None
    if match["choices"] is not None:
        parts = match["choices"].split(", ")
        choices = tuple(int(part) if part.isdigit() else part for part in parts)
    return EngineArgument(name=name, types=tuple(match["types"].split("|")), choices=choices)


@cache
def front_end_arguments(version: str) -> frozenset[str]:
    """Return the arguments of vLLM's own HTTP server, which Ray takes and never uses.

    An `api_key` among them leaves the endpoint open.
    """
    return frozenset(_facts(version)["front_end_arguments"])


@cache
def closed_values(version: str) -> Mapping[str, frozenset[str]]:
    """Return the only texts that a registry or a nested configuration of a vLLM version takes.

    By the argument's path, `tool_call_parser` or `speculative_config.method`; a nested
    configuration such as `speculative_config` has the names of its fields.
    """
    rows = _facts(version)["closed_values"]
    return MappingProxyType({path: frozenset(values) for path, values in rows.items()})


@cache
def argument_bounds(version: str) -> Mapping[str, Mapping[str, float]]:
    """Return the limits of engine arguments by name: `ge`, `gt`, `le` and `lt`."""
    return MappingProxyType(_facts(version)["bounds"])


@cache
def quantization_methods(version: str) -> Mapping[str, QuantizationMethod]:
    """Return the quantization methods of a vLLM version by name."""
    return MappingProxyType(
        {
            name: QuantizationMethod(
                name=name,
                min_capability=row[0],
                activation_dtypes=None if row[1] is None else tuple(row[1]),
            )
            for name, row in _facts(version)["quantization_methods"].items()
        }
    )


@cache
def supported_architectures(version: str) -> frozenset[str]:
    """Return the architecture classes of vLLM's model registry."""
    return frozenset(_facts(version)["architectures"])


@cache
def float16_refused(version: str) -> frozenset[str]:
    """Return the `model_type`s that vLLM refuses to run in float16."""
    return frozenset(_facts(version)["float16_refused"])
