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
from models.catalog.vllm_behaviour import vllm_behaviour
from models.facts import Facts


class EngineArgument(Facts):
    """One argument of vLLM that an LLM config's `engine_kwargs` may hold.

    `types` are the YAML types it takes: int, float, bool, str, list, dict, none.
    `choices` are the only strings or numbers that it takes, None if any is accepted; `any_case` if
    it compares texts without case.
    """

    name: str
    types: tuple[str, ...]
    choices: tuple[str | int, ...] | None = None
    any_case: bool = False

    def lists(self, value: str | int) -> bool:
        """Whether a text or number is one of the choices, or any is accepted."""
        if self.choices is None or value in self.choices:
            return True
        return (
            self.any_case
            and isinstance(value, str)
            and value.lower() in {str(choice).lower() for choice in self.choices}
        )


class QuantizationMethod(Facts):
    """One quantization method: the least compute capability (75 is 7.5) and activation dtypes.

    None if the source does not state it in a form that can be read without running it.
    """

    name: str
    min_capability: int | None
    activation_dtypes: tuple[str, ...] | None


class WeightLimits(Facts):
    """The bits of a weight that a quantization method loads; `symmetric` if only such weights."""

    method: str
    bits: tuple[int, ...]
    symmetric: bool = False


class QuantizationTakeover(Facts):
    """When a method loads a checkpoint of another method, which it then takes over.

    - `of`: patterns of the checkpoint's methods
    - `stated`: the values of the argument `quantization` with which it does; None among them
      stands for none stated
    - `algorithms`, `formats`, `model_types`: patterns of what else the checkpoint says
    - `bits`, `group_sizes`, `symmetric`, `zero_point`: what its weights must be, if they say it
    - `marlin`: only on a GPU with the capability of the method

    None, or False for the last three, if it does not matter.
    """

    method: str
    of: tuple[str, ...] | None = None
    stated: tuple[str | None, ...] | None = None
    algorithms: tuple[str, ...] | None = None
    formats: tuple[str, ...] | None = None
    model_types: tuple[str, ...] | None = None
    bits: tuple[int, ...] | None = None
    group_sizes: tuple[int, ...] | None = None
    symmetric: bool = False
    zero_point: bool = False
    marlin: bool = False


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


_ARGUMENT = re.compile(r"(?P<types>[a-z|]+)(?: \[(?P<choices>.*)\](?P<any_case> in any case)?)?")


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
    return EngineArgument(
        name=name,
        types=tuple(match["types"].split("|")),
        choices=choices,
        any_case=match["any_case"] is not None,
    )


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
def nested_fields(version: str) -> Mapping[str, Mapping[str, EngineArgument]]:
    """Return the fields of the configurations that engine arguments hold as mappings.

    By the configuration's path, `compilation_config` or `compilation_config.pass_config`, and the
    field's name. Pydantic reads their values: a number may be written as text.
    """
    rows = _facts(version)["nested_fields"]
    return MappingProxyType(
        {
            path: MappingProxyType({name: _argument(name, text) for name, text in fields.items()})
            for path, fields in rows.items()
        }
    )


@cache
def argument_bounds(version: str) -> Mapping[str, Mapping[str, float]]:
    """Return the limits of engine arguments by name: `ge`, `gt`, `le` and `lt`."""
    return MappingProxyType(_facts(version)["bounds"])


@cache
def rope_scaling_fields(version: str) -> Mapping[str, tuple[str, ...]]:
    """Return the types of RoPE scaling that a vLLM version builds, with the fields they need."""
    rows = _facts(version)["rope_scaling"]
    return MappingProxyType({kind: tuple(fields) for kind, fields in rows.items()})


@cache
def older_rope_types(version: str) -> Mapping[str, str]:
    """Return the names of RoPE types that stand for newer ones, in a config.json, by the older."""
    return MappingProxyType(_facts(version)["older_rope_types"])


@cache
def own_rope_parameters(version: str) -> frozenset[str]:
    """Return the `model_type`s whose `rope_parameters` are read with any transformers."""
    return frozenset(_facts(version)["own_rope_parameters"])


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
def quantization_takeovers(version: str) -> tuple[QuantizationTakeover, ...]:
    """Return which methods take over the checkpoints of others, in vLLM's order."""
    rows = _facts(version)["quantization_takeovers"]
    return tuple(
        QuantizationTakeover.model_validate({"method": name, **row}) for name, row in rows.items()
    )


@cache
def quantize_while_loading(version: str) -> frozenset[str]:
    """Return the methods that quantize 16-bit weights while they load them."""
    return frozenset(_facts(version)["quantize_while_loading"])


@cache
def weight_limits(version: str) -> Mapping[str, WeightLimits]:
    """Return which weights a method loads, for the methods that refuse some."""
    rows = _facts(version)["quantization_weights"]
    return MappingProxyType(
        {name: WeightLimits.model_validate({"method": name, **row}) for name, row in rows.items()}
    )


@cache
def quantization_files(version: str) -> Mapping[str, tuple[str, ...]]:
    """Return the files beside config.json in which a stated method finds its configuration."""
    rows = _facts(version)["quantization_files"]
    return MappingProxyType({name: tuple(files) for name, files in rows.items()})


@cache
def modelopt_algorithms(version: str) -> frozenset[str]:
    """Return the values of ModelOpt's `quant_algo` that a vLLM version loads."""
    return frozenset(_facts(version)["modelopt_algorithms"])


@cache
def modelopt_file_algorithms(version: str) -> Mapping[str, str]:
    """Return the method for each `quant_algo` of a hf_quant_config.json; empty if it is not read.

    A version that does not read the file by itself does so if `quantization` is stated.
    """
    return MappingProxyType(_facts(version)["modelopt_file_algorithms"])


@cache
def compressed_tensors_schemes(version: str) -> Mapping[str, int]:
    """Return the least compute capability of each scheme class of compressed-tensors."""
    return MappingProxyType(_facts(version)["compressed_tensors_schemes"])


@cache
def supported_architectures(version: str) -> frozenset[str]:
    """Return the architecture classes of vLLM's model registry."""
    return frozenset(_facts(version)["architectures"])


@cache
def transformers_architectures(version: str) -> frozenset[str]:
    """Return what a vLLM version may run by transformers' code, if its own registry lacks it."""
    rows = data_file.read("transformers_architectures.yaml")
    return frozenset(rows[vllm_behaviour(version).transformers])


@cache
def multimodal_architectures() -> frozenset[str]:
    """Return the architecture classes that take images or sound in any known vLLM version."""
    return frozenset(
        name for version in vllm_versions() for name in _facts(version)["multimodal_architectures"]
    )


@cache
def lora_architectures(version: str) -> frozenset[str]:
    """Return the architecture classes that take LoRA adapters."""
    return frozenset(_facts(version)["lora_architectures"])


@cache
def mtp_targets(version: str) -> frozenset[str]:
    """Return the model types and architectures with layers that guess tokens (MTP)."""
    return frozenset(_facts(version)["mtp_targets"])


@cache
def architectures_of_one_window(version: str) -> frozenset[str]:
    """Return the architectures for which a vLLM version refuses a window of some layers."""
    return frozenset(_facts(version)["architectures_of_one_window"])


@cache
def float16_refused(version: str) -> frozenset[str]:
    """Return the `model_type`s that vLLM refuses to run in float16."""
    return frozenset(_facts(version)["float16_refused"])
