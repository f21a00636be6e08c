"""Reads the values that vLLM's registries and nested configurations close.

The annotations of these arguments take any text; a registry, an enumeration or a nested dataclass
refuses what it does not hold when the engine starts.
"""

import ast
import sys
from collections.abc import Callable, Iterator

from scripts.vllm_facts.annotations import accepted
from scripts.vllm_facts.configurations import (
    classes,
    enumeration_members,
    is_configuration,
    nested_configurations,
)
from scripts.vllm_facts.source import Source, top_level

_TOOL_PARSERS = ("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers")
_REASONING_PARSERS = ("vllm.reasoning",)
_CONFIG_MODULES = ("vllm.config.speculative", "vllm.config")
# Fields of SpeculativeConfig that vLLM itself fills in; a text of ours cannot hold them.
_FILLED_BY_VLLM = frozenset(
    {
        "draft_model_config",
        "draft_parallel_config",
        "target_model_config",
        "target_parallel_config",
    }
)


def closed_values(source: Source) -> dict[str, list[str]]:
    """Return the only values of arguments whose annotation is open, by the path of the argument.

    An argument that a nested configuration reads, such as `compilation_config`, has the names of
    the configuration's fields. A release without the argument has no row.
    """
    readers: dict[str, Callable[[], list[str]]] = {
        "attention_backend": lambda: _attention_backends(source),
        "config_format": lambda: _values(
            source, "ConfigFormat", "vllm.transformers_utils.config", "vllm.config"
        ),
        "load_format": lambda: (
            _values(source, "LoadFormats", "vllm.model_executor.model_loader")
            or _values(source, "LoadFormat", "vllm.config")
        ),
        "lora_dtype": lambda: _values(source, "LoRADType", "vllm.config.lora", "vllm.config"),
        "reasoning_parser": lambda: _registered(
            source, _REASONING_PARSERS, "_REASONING_PARSERS_TO_REGISTER"
        ),
        **{name: lambda fields=fields: fields for name, fields in _nested_fields(source).items()},
        "speculative_config": lambda: _speculative_fields(source),
        "speculative_config.method": lambda: _values(source, "SpeculativeMethod", *_CONFIG_MODULES),
        "tool_call_parser": lambda: _registered(source, _TOOL_PARSERS, "_TOOL_PARSERS_TO_REGISTER"),
    }
    return {path: values for path in sorted(readers) if (values := readers[path]())}


def _values(source: Source, name: str, *modules: str) -> list[str]:
    """The members of a Literal, or the values of an enumeration."""
    for module in modules:
        found = source.find(name, module)
        if found is not None and isinstance(found[0], ast.ClassDef):
            return sorted(
                value.value
                for value in enumeration_members(found[0]).values()
                if isinstance(value, ast.Constant) and isinstance(value.value, str)
            )
        if found is not None:
            return sorted(map(str, accepted(source, found[0], found[1]).choices))
    return []


def _attention_backends(source: Source) -> list[str]:
    """The names of the enumeration, and `auto` where the configuration's validator reads it."""
    found = source.find("AttentionBackendEnum", "vllm.v1.attention.backends.registry")
    if found is None or not isinstance(found[0], ast.ClassDef):
        return []
    config = source.find("AttentionConfig", "vllm.config.attention")
    reads_auto = config is not None and any(
        isinstance(node, ast.Constant) and node.value == "auto" for node in ast.walk(config[0])
    )
    names = sorted(enumeration_members(found[0]))
    return [*names, "auto"] if reads_auto else names


def _registered(source: Source, packages: tuple[str, ...], table: str) -> list[str]:
    """The names in a table of lazy modules, or in the decorators of the package's modules."""
    for package in packages:
        tree = source.module(package)
        if tree is None:
            continue
        found = source.find(table, package)
        if found is not None and isinstance(found[0], ast.Dict):
            keys = found[0].keys
            return sorted(key.value for key in keys if isinstance(key, ast.Constant))
        modules = {
            source.home(node, package)
            for node in top_level(tree.body)
            if isinstance(node, ast.ImportFrom)
        }
        return sorted({name for module in modules for name in _decorated(source, module)})
    sys.exit(f"{table} is not found")


def _decorated(source: Source, module: str) -> Iterator[str]:
    """The names that `@Manager.register_module(...)` gives the classes of a module."""
    tree = source.module(module)
    for node in tree.body if tree else ():
        for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
            match decorator:
                case ast.Call(func=ast.Attribute(attr="register_module"), args=[names]):
                    for name in names.elts if isinstance(names, ast.List) else [names]:
                        if isinstance(name, ast.Constant):
                            yield str(name.value)


def _nested_fields(source: Source) -> dict[str, list[str]]:
    """The fields of the configurations that engine arguments hold as mappings, by argument."""
    module = "vllm.engine.arg_utils"
    found: dict[str, list[str]] = {}
    for name, (annotation, home) in source.fields("AsyncEngineArgs", module).items():
        for node, where in classes(source, annotation, home):
            if is_configuration(node):
                found[name] = sorted(source.fields(node.name, where))
    for path, node, where in nested_configurations(source):
        if "." in path:
            found[path] = sorted(source.fields(node.name, where))
    return found


def _speculative_fields(source: Source) -> list[str]:
    for module in _CONFIG_MODULES:
        if source.find("SpeculativeConfig", module) is not None:
            return sorted(set(source.fields("SpeculativeConfig", module)) - _FILLED_BY_VLLM)
    sys.exit("class SpeculativeConfig is not found")
