"""Reads which types of RoPE scaling a vLLM release builds, and the fields that each one needs.

`get_rope` builds the rotary embedding when the model is made. It reads a missing field without a
default (KeyError) and raises for other types; before that, older names of types are replaced.
"""

import ast
import sys
from collections.abc import Iterator

from scripts.vllm_facts.source import Source

_HOME = "vllm.model_executor.layers.rotary_embedding"
_CONFIG = "vllm.transformers_utils.config"
_CONFIGS = "vllm.transformers_utils.configs"
# The functions that replace older names, by release.
_PATCHES = ("patch_rope_scaling_dict", "patch_rope_parameters_dict", "patch_legacy_rope_type")
_TYPE = "rope_type"


def rope_scaling_fields(source: Source) -> dict[str, list[str]]:
    """Return the fields that each type of RoPE scaling needs, by type."""
    found = source.find("get_rope", _HOME)
    if found is None:
        sys.exit("get_rope is not found")
    result: dict[str, list[str]] = {}
    for test, body in _branches(found[0]):
        for kind in _compared_types(test, "scaling_type"):
            result[kind] = _needed(body)
    return dict(sorted(result.items()))


def older_rope_types(source: Source) -> dict[str, str]:
    """Return the names of types that are replaced before `get_rope` reads them, by the older."""
    result: dict[str, str] = {}
    for name in _PATCHES:
        found = source.find(name, _CONFIG)
        for test, body in _branches(found[0]) if found else ():
            newer = _assigned_type(body)
            if newer:
                result |= dict.fromkeys(_compared_types(test, _TYPE), newer)
    return dict(sorted(result.items()))


def _branches(function: ast.AST) -> Iterator[tuple[ast.expr, list[ast.stmt]]]:
    for node in ast.walk(function):
        if isinstance(node, ast.If):
            yield node.test, node.body


def _compared_types(test: ast.expr, name: str) -> list[str]:
    """The texts that an expression which holds the name is equal to, or is one of."""
    match test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.In()], comparators=[right]) if (
            name in ast.unparse(left)
        ):
            members = right.elts if isinstance(right, ast.List | ast.Tuple | ast.Set) else [right]
            return [str(member.value) for member in members if isinstance(member, ast.Constant)]
    return []


def _assigned_type(body: list[ast.stmt]) -> str:
    for node in body:
        match node:
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value="rope_type"))],
                value=ast.Constant(value=str(newer)),
            ):
                return newer
    return ""


def _needed(body: list[ast.stmt]) -> list[str]:
    """The fields that are read by subscript in a branch, where no inner branch chooses."""
    result: list[str] = []
    for node in body:
        if isinstance(node, ast.If):
            # `if "x" in rope: ... else: raise` needs x; the last of several that are asked for is
            # the usual one.
            if any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
                result += _asked_last(node)
            continue
        for inner in ast.walk(node):
            match inner:
                case ast.Subscript(
                    value=ast.Name(id=name), slice=ast.Constant(value=str(field))
                ) if name.startswith("rope_") and field not in result:
                    result.append(field)
    return result


def _asked_last(node: ast.If) -> list[str]:
    asked: list[str] = []
    tests: list[ast.If] = [node]
    for test in tests:
        asked = [
            str(inner.left.value)
            for inner in ast.walk(test.test)
            if isinstance(inner, ast.Compare) and isinstance(inner.left, ast.Constant)
        ] or asked
        tests += [inner for inner in test.orelse if isinstance(inner, ast.If)]
    return asked


def own_rope_parameters(source: Source) -> list[str]:
    """Return the model types whose config.json vLLM reads by a class that keeps `rope_parameters`.

    The class, or one beside it for a part of the model, takes the key as a parameter, with any
    transformers. One with a base of its own would put that into the key.
    """
    found = source.find("_CONFIG_REGISTRY", _CONFIG)
    if found is None:
        sys.exit("_CONFIG_REGISTRY is not found")
    result: set[str] = set()
    for model_type, name in _registered_classes(found[0]):
        module = source.module(_home_of_class(source, name))
        classes = [node for node in module.body if isinstance(node, ast.ClassDef)] if module else []
        keeping = [node for node in classes if _keeps_rope_parameters(node)]
        if keeping:
            result |= {model_type, *filter(None, map(_model_type, keeping))}
    return sorted(result)


def _registered_classes(table: ast.AST) -> Iterator[tuple[str, str]]:
    """Model types with the names of their classes: a dict, or a call with keywords."""
    match table:
        case ast.Call(keywords=keywords):
            pairs = [(ast.Constant(keyword.arg), keyword.value) for keyword in keywords]
        case ast.Dict(keys=keys, values=values):
            pairs = list(zip(keys, values, strict=True))
        case _:
            sys.exit("_CONFIG_REGISTRY is neither a dict nor a call")
    for key, value in pairs:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield (
                key.value,
                str(value.value)
                if isinstance(value, ast.Constant)
                else str(getattr(value, "id", "")),
            )


def _home_of_class(source: Source, name: str) -> str:
    """The module of a configuration class: a table names it, or an import."""
    table = source.find("_CLASS_TO_MODULE", _CONFIGS)
    if table is not None and isinstance(table[0], ast.Dict):
        for key, value in zip(table[0].keys, table[0].values, strict=True):
            if isinstance(key, ast.Constant) and key.value == name:
                return str(value.value) if isinstance(value, ast.Constant) else ""
    found = source.find(name, _CONFIGS)
    return found[1] if found else ""


def _keeps_rope_parameters(node: ast.ClassDef) -> bool:
    for function in node.body:
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            parameters = [*function.args.args, *function.args.kwonlyargs]
            own_base = any(
                isinstance(inner, ast.Attribute)
                and inner.attr == "rope_theta"
                and isinstance(inner.ctx, ast.Store)
                for inner in ast.walk(function)
            )
            return not own_base and any(each.arg == "rope_parameters" for each in parameters)
    return False


def _model_type(node: ast.ClassDef) -> str:
    for statement in node.body:
        match statement:
            case ast.Assign(
                targets=[ast.Name(id="model_type")], value=ast.Constant(value=str(name))
            ):
                return name
    return ""
