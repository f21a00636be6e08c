"""Reads the catalogue's facts about a vLLM release from its modules."""

import ast
import sys
from collections.abc import Iterable
from typing import Any

from scripts.vllm_facts.annotations import ALL_TYPES, NOTHING, Accepted, accepted
from scripts.vllm_facts.bounds import fields_of_arguments
from scripts.vllm_facts.closed_values import closed_values
from scripts.vllm_facts.configurations import Values, enumeration_members, field_values
from scripts.vllm_facts.source import Source

QUANTIZATION = "vllm.model_executor.layers.quantization"
DTYPES = {"half": "float16", "float": "float32"}


def engine_arguments(source: Source) -> dict[str, str]:
    """Return each field of AsyncEngineArgs as `type|type [choice, choice]`.

    A text that its annotation leaves open has the choices of the enumeration or of the field of a
    configuration that it becomes.
    """
    module = "vllm.engine.arg_utils"
    fields = source.fields("AsyncEngineArgs", module)
    rows = arguments(source, fields, converted(source, module))
    elsewhere = closed_values(source)
    closed = _closed_by_enumerations(source, module)
    for name, config, field in fields_of_arguments(source):
        values = field_values(source, config, module, field)
        if name not in closed and values is not None:
            closed[name] = values
    for name, values in closed.items():
        _, bracket, choices = values.text().partition(" [")
        if bracket and name not in elsewhere and rows.get(name) in ("str", "str|none"):
            rows[name] += bracket + choices
    return rows


def _closed_by_enumerations(source: Source, module: str) -> dict[str, Values]:
    """The arguments of which EngineArgs reads the name of an enumeration's member."""
    found = source.find("EngineArgs", module)
    result: dict[str, Values] = {}
    for node in ast.walk(found[0]) if found else ():
        match node:
            case ast.Subscript(
                value=ast.Name(id=enumeration),
                slice=ast.Call(
                    func=ast.Attribute(
                        value=ast.Attribute(value=ast.Name(id="self"), attr=name), attr="upper"
                    )
                ),
            ):
                home = source.find(enumeration, module)
                if home is not None and isinstance(home[0], ast.ClassDef):
                    names = tuple(enumeration_members(home[0]))
                    result[name] = Values(Accepted(frozenset({"str"}), names), any_case=True)
    return result


def converted(source: Source, module: str) -> dict[str, Accepted]:
    """Return what `__post_init__` converts with `isinstance(self.x, ...)`, beyond annotations."""
    result: dict[str, Accepted] = {}
    function = method_of(source, "EngineArgs", module, "__post_init__")
    for node in ast.walk(function) if function else ():
        match node:
            case ast.Call(
                func=ast.Name(id="isinstance"),
                args=[ast.Attribute(value=ast.Name(id="self"), attr=name), kinds],
            ):
                members = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
                for member in members:
                    more = accepted(source, member, module)
                    result[name] = result.get(name, NOTHING) | more
    return result


def arguments(
    source: Source,
    fields: dict[str, tuple[ast.expr, str]],
    more: dict[str, Accepted] | None = None,
) -> dict[str, str]:
    """Return the fields of a dataclass as `type|type [choice, choice]`, by name."""
    result = {}
    for name, (annotation, home) in fields.items():
        found = accepted(source, annotation, home) | (more or {}).get(name, NOTHING)
        types = "|".join(kind for kind in ALL_TYPES if kind in found.types)
        if not types:
            sys.exit(f"{name}: {ast.unparse(annotation)} accepts nothing that YAML can express")
        closed = found.choices and not found.open
        result[name] = f"{types} [{', '.join(map(str, found.choices))}]" if closed else types
    return dict(sorted(result.items()))


def front_end_fields(source: Source) -> dict[str, tuple[ast.expr, str]]:
    """Return the fields of FrontendArgs, which Ray accepts among the engine arguments."""
    for module in FRONT_END_MODULES:
        if source.find("FrontendArgs", module) is not None:
            return source.fields("FrontendArgs", module)
    sys.exit("class FrontendArgs is not found")


def read_by_ray(source: Source) -> set[str]:
    """Return the `args.x` that `init_app_state` reads, the only front-end code that Ray runs."""
    result: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [("init_app_state", "vllm.entrypoints.openai.api_server")]
    if source.find(*waiting[0]) is None:
        sys.exit("init_app_state is not found")
    while waiting:
        path = waiting.pop()
        found = source.find(*path)
        if found is None or path in seen:
            continue
        seen.add(path)
        function, module = found
        homes = {
            alias.asname or alias.name: (alias.name, source.home(node, module))
            for node in ast.walk(function)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(function):
            match node:
                case ast.Attribute(value=ast.Name(id="args"), attr=name):
                    result.add(name)
                case ast.Call(
                    func=ast.Name(id="getattr"),
                    args=[ast.Name(id="args"), ast.Constant(value=str(name)), *_],
                ):
                    result.add(name)
                case ast.Call(func=ast.Name(id=called), args=given, keywords=keywords):
                    values = [*given, *(keyword.value for keyword in keywords)]
                    if any(isinstance(v, ast.Name) and v.id == "args" for v in values):
                        waiting.append(homes.get(called, (called, module)))
    return result


FRONT_END_MODULES = (
    "vllm.entrypoints.openai.cli_args",
    "vllm.entrypoints.launchers.cli_args",
)


def quantization_methods(source: Source) -> dict[str, list[Any]]:
    """Return min_capability and activation dtypes by method, None if code decides."""
    literal = source.find("QuantizationMethods", QUANTIZATION)
    if literal is None:
        sys.exit("QuantizationMethods is not found")
    classes = method_classes(source)
    result: dict[str, list[Any]] = {}
    for method in accepted(source, literal[0], literal[1]).choices:
        name, module = classes.get(str(method), ("", ""))
        result[str(method)] = [
            _returned_number(source, name, module),
            _returned_dtypes(source, name, module),
        ]
    return dict(sorted(result.items()))


def method_classes(source: Source) -> dict[str, tuple[str, str]]:
    """Return the class of each quantization method and the module that names it."""
    tree = source.module(QUANTIZATION)
    if tree is None:
        sys.exit("QuantizationMethods is not found")
    function = next(
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "get_quantization_config"
    )
    classes: dict[str, tuple[str, str]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.ImportFrom):
            module = source.home(node, QUANTIZATION)
            classes |= {alias.asname or alias.name: (alias.name, module) for alias in node.names}
    result: dict[str, tuple[str, str]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(value, ast.Name) and value.id in classes:
                    result |= dict.fromkeys(texts([key]), classes[value.id])
    return result


def method_of(source: Source, class_name: str, module: str, method: str) -> ast.FunctionDef | None:
    """Return a method of a class or of a base of it, unless the base is vLLM's abstract one."""
    found = source.find(class_name, module) if class_name else None
    if found is None or not isinstance(found[0], ast.ClassDef):
        return None
    for node in found[0].body:
        if isinstance(node, ast.FunctionDef) and node.name == method:
            return node
    for base in found[0].bases:
        if isinstance(base, ast.Name) and base.id != "QuantizationConfig":
            inherited = method_of(source, base.id, found[1], method)
            if inherited is not None:
                return inherited
    return None


def only_return(function: ast.FunctionDef | None) -> ast.expr | None:
    """Return the one expression that a function can return; None if the code chooses."""
    if function is None:
        return None
    returns = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return returns[0] if len(returns) == 1 else None


def _returned_number(source: Source, class_name: str, module: str) -> int | None:
    value = only_return(method_of(source, class_name, module, "get_min_capability"))
    if isinstance(value, ast.Constant) and isinstance(value.value, int) and value.value > 0:
        return value.value
    return None


def _returned_dtypes(source: Source, class_name: str, module: str) -> list[str] | None:
    value = only_return(method_of(source, class_name, module, "get_supported_act_dtypes"))
    if not isinstance(value, ast.List):
        return None
    names = [item.attr for item in value.elts if isinstance(item, ast.Attribute)]
    return [DTYPES.get(name, name) for name in names]


def texts(nodes: Iterable[ast.expr | None]) -> list[str]:
    """Return the values of the nodes that are strings."""
    constants = (node.value for node in nodes if isinstance(node, ast.Constant))
    return [value for value in constants if isinstance(value, str)]


# Run by the Transformers backend, from vLLM 0.11 on. In a table of their own.
TRANSFORMERS_MODELS = "_TRANSFORMERS_SUPPORTED_MODELS"
# The models that score a pair of texts; the table has another name since 0.18.
SCORING_MODELS = ("_CROSS_ENCODER_MODELS", "_SEQUENCE_CLASSIFICATION_MODELS")
REGISTRY = "vllm.model_executor.models.registry"
MODEL_TABLES = (
    "_TEXT_GENERATION_MODELS",
    "_EMBEDDING_MODELS",
    "_MULTIMODAL_MODELS",
    *SCORING_MODELS,
    TRANSFORMERS_MODELS,
)


def architectures(source: Source) -> list[str]:
    """Return the architectures of the model registry that generate text, embed or score."""
    return sorted(_registered(source, *MODEL_TABLES))


def architectures_of_one_window(source: Source) -> list[str]:
    """Return the architectures whose code refuses a window of some of the layers."""
    home = "vllm.model_executor.models"
    found = source.find("_TEXT_GENERATION_MODELS", f"{home}.registry")
    result = set()
    for name, value in _items(found[0]) if found else ():
        match value:
            case ast.Tuple(elts=[ast.Constant(value=str(module)), *_]):
                text = source.read(f"{home.replace('.', '/')}/{module}.py") or ""
                if "max_window_layers ==" in text:
                    result.add(name)
    return sorted(result)


def _items(node: object) -> Iterable[tuple[str, ast.expr]]:
    for key, value in (
        zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
    ):
        if isinstance(key, ast.Constant):
            yield str(key.value), value


def mtp_targets(source: Source) -> list[str]:
    """Return the model types and architectures whose own layers may guess tokens (MTP)."""
    for module in ("vllm.config.speculative", "vllm.config"):
        function = method_of(source, "SpeculativeConfig", module, "hf_config_override")
        if function is None:
            continue
        found: set[str] = set()
        for node in ast.walk(function):
            match node:
                case ast.Compare(left=left, comparators=[right]) if any(
                    word in ast.unparse(left) for word in ("model_type", "architectures")
                ):
                    members = right.elts if isinstance(right, ast.Tuple | ast.List) else [right]
                    found |= set(texts(members))
        return sorted(name for name in found if not name.endswith("_mtp"))
    sys.exit("hf_config_override is not found")


def multimodal_architectures(source: Source) -> list[str]:
    """Return the architectures that take images or sound as well as text."""
    return sorted(_registered(source, "_MULTIMODAL_MODELS"))


def _registered(source: Source, *tables: str) -> set[str]:
    result: set[str] = set()
    for name in tables:
        found = source.find(name, REGISTRY)
        if found is not None and isinstance(found[0], ast.Dict):
            result |= set(texts(found[0].keys))
        elif name not in (TRANSFORMERS_MODELS, *SCORING_MODELS):
            sys.exit(f"{name} is not found in the model registry")
    return result


def float16_refused(source: Source) -> list[str]:
    """Return the model types that refuse float16."""
    for module in ("vllm.config.model", "vllm.config"):
        found = source.find("_FLOAT16_NOT_SUPPORTED_MODELS", module)
        if found is not None and isinstance(found[0], ast.Dict):
            return sorted(texts(found[0].keys))
    sys.exit("_FLOAT16_NOT_SUPPORTED_MODELS is not found")
