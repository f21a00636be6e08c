"""Reads the least and the most that vLLM's configurations accept for engine arguments.

EngineArgs takes its defaults from fields of configurations (`SchedulerConfig.watermark`), or hands
its values to them by name. `Field(ge=0, lt=1)` of such a field refuses a value when the engine
starts, and so does `if self.watermark < 0: raise` in a method of the configuration.
"""

import ast
from collections.abc import Iterator

from scripts.vllm_facts.configurations import nested_configurations
from scripts.vllm_facts.source import Source

_MODULE = "vllm.engine.arg_utils"
_LIMITS = ("ge", "gt", "le", "lt")
# What a comparison that raises leaves over.
_LEFT_OVER = {ast.Lt: "ge", ast.LtE: "gt", ast.Gt: "le", ast.GtE: "lt"}
# Made only where another argument asks for it, so that its limits do not always hold.
_CONDITIONAL = frozenset({"LoRAConfig", "PoolerConfig", "SpeculativeConfig"})


def argument_bounds(source: Source) -> dict[str, dict[str, float]]:
    """Return the limits by argument: `ge`, `gt`, `le` and `lt`, as pydantic names them.

    A field of a configuration that an argument holds has its path: `eplb_config.window_size`.
    """
    result: dict[str, dict[str, float]] = {}
    for name, config, field in fields_of_arguments(source):
        limits = _limits(source, config, field)
        if limits and not name.startswith("_"):
            result[name] = result.get(name, {}) | limits
    for path, node, module in nested_configurations(source):
        for field in source.fields(node.name, module):
            if limits := _limits_in(node, field):
                result[f"{path}.{field}"] = limits
    return dict(sorted(result.items()))


def fields_of_arguments(source: Source) -> Iterator[tuple[str, str, str]]:
    """Each argument with a configuration and the field of it that takes its value."""
    found = source.find("EngineArgs", _MODULE)
    if found is not None and isinstance(found[0], ast.ClassDef):
        yield from _from_defaults(found[0])
        yield from _handed_on(source, found[0])


def _from_defaults(engine: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Each argument with the configuration and the field from which its default is taken."""
    for statement in engine.body:
        match statement:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                value=ast.Attribute(value=ast.Name(id=config), attr=field)
                | ast.Call(
                    func=ast.Name(id="get_field"),
                    args=[ast.Name(id=config), ast.Constant(value=str(field))],
                ),
            ):
                yield name, config, field


def _handed_on(source: Source, engine: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Each argument with the configuration that is made with it, and the field."""
    arguments = source.fields("EngineArgs", _MODULE)
    for node in ast.walk(engine):
        match node:
            case ast.Call(func=ast.Name(id=config), keywords=keywords) if (
                config.endswith("Config") and config not in _CONDITIONAL
            ):
                for keyword in keywords:
                    match keyword.value:
                        case ast.Attribute(value=ast.Name(id="self"), attr=name):
                            pass
                        case _:
                            name = keyword.arg or ""
                    if name in arguments and keyword.arg is not None:
                        yield name, config, keyword.arg


def _limits(source: Source, config: str, field: str) -> dict[str, float]:
    """The limits of the field of a configuration."""
    found = source.find(config, _MODULE)
    return _limits_in(found[0], field) if found and isinstance(found[0], ast.ClassDef) else {}


def _limits_in(config: ast.ClassDef, field: str) -> dict[str, float]:
    limits: dict[str, float] = {}
    for statement in config.body:
        match statement:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                value=ast.Call(func=ast.Name(id="Field"), keywords=keywords),
            ) if name == field:
                limits |= {
                    keyword.arg: float(ast.literal_eval(keyword.value))
                    for keyword in keywords
                    if keyword.arg in _LIMITS
                }
            case ast.FunctionDef(body=body):
                limits |= _refused(body, field)
    return limits


def _refused(body: list[ast.stmt], field: str) -> dict[str, float]:
    """What `if self.field < 1: raise` at the top of a method leaves over."""
    for statement in body:
        match statement:
            case ast.If(
                test=ast.Compare(
                    left=ast.Attribute(value=ast.Name(id="self"), attr=name),
                    ops=[operator],
                    comparators=[ast.Constant(value=int() | float() as number)],
                ),
                body=[ast.Raise()],
            ) if name == field and type(operator) in _LEFT_OVER:
                return {_LEFT_OVER[type(operator)]: float(number)}
    return {}
