"""Reads the least and the most that vLLM's configurations accept for engine arguments.

EngineArgs takes its defaults from fields of configurations (`SchedulerConfig.watermark`), whose
`Field(ge=0, lt=1)` refuses a value when the engine starts.
"""

import ast

from scripts.vllm_facts.source import Source

_MODULE = "vllm.engine.arg_utils"
_LIMITS = ("ge", "gt", "le", "lt")


def argument_bounds(source: Source) -> dict[str, dict[str, float]]:
    """Return the limits by argument: `ge`, `gt`, `le` and `lt`, as pydantic names them."""
    found = source.find("EngineArgs", _MODULE)
    if found is None or not isinstance(found[0], ast.ClassDef):
        return {}
    result: dict[str, dict[str, float]] = {}
    for statement in found[0].body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as default):
                limits = _limits(source, default)
                if limits and not name.startswith("_"):
                    result[name] = limits
    return dict(sorted(result.items()))


def _limits(source: Source, default: ast.expr) -> dict[str, float]:
    """The limits of the field from which a default is taken."""
    match default:
        case ast.Attribute(value=ast.Name(id=config), attr=field):
            pass
        case ast.Call(
            func=ast.Name(id="get_field"),
            args=[ast.Name(id=config), ast.Constant(value=str(field))],
        ):
            pass
        case _:
            return {}
    found = source.find(config, _MODULE)
    for statement in found[0].body if found and isinstance(found[0], ast.ClassDef) else ():
        match statement:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                value=ast.Call(func=ast.Name(id="Field"), keywords=keywords),
            ) if name == field:
                return {
                    keyword.arg: float(ast.literal_eval(keyword.value))
                    for keyword in keywords
                    if keyword.arg in _LIMITS
                }
    return {}
