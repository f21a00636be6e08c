"""Reads what the configurations that engine arguments hold take for each of their fields.

They are dataclasses of pydantic, which checks the values when vLLM starts. Read are the annotation
of a field and the validators that change a value before it is checked: one reads the name of an
enumeration in any case, another lets null pass. A field whose validator is not understood has no
row, and neither has one of a type that no YAML file can hold.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scripts.vllm_facts.annotations import ALL_TYPES, BUILTIN_TYPES, NOTHING, Accepted, accepted
from scripts.vllm_facts.source import Definition, Source, assigned, top_level

MODULE: Final = "vllm.engine.arg_utils"
IN_ANY_CASE: Final = " in any case"
# Of typing and the like: they say nothing about the type of a value.
_WRAPPERS: Final = frozenset({"Optional", "Union", "Annotated", "Literal", "SkipValidation"})
_CONVERTING: Final = ("upper", "lower")
# Handed on as a mapping under another annotation.
_BESIDE: Final = {"speculative_config": "SpeculativeConfig"}


@dataclass(frozen=True)
class Values:
    """What a field takes; `any_case` if texts are compared without case."""

    accepted: Accepted
    any_case: bool = False

    def text(self) -> str:
        """As `type|type [choice, choice] in any case`."""
        types = "|".join(kind for kind in ALL_TYPES if kind in self.accepted.types)
        if self.accepted.open or not self.accepted.choices:
            return types
        listed = ", ".join(map(str, self.accepted.choices))
        return f"{types} [{listed}]" + (IN_ANY_CASE if self.any_case else "")


def nested_configurations(source: Source) -> Iterator[tuple[str, ast.ClassDef, str]]:
    """Yield the configurations that engine arguments hold: path, class and its module.

    The path is the argument, `compilation_config`, or leads on: `compilation_config.pass_config`.
    """
    for argument, (annotation, home) in source.fields("AsyncEngineArgs", MODULE).items():
        for node, where in classes(source, annotation, home):
            yield from _with_inner(source, argument, node, where)
    for argument, name in _BESIDE.items():
        for module in ("vllm.config.speculative", "vllm.config"):
            found = source.find(name, module)
            if found is not None and isinstance(found[0], ast.ClassDef):
                yield from _with_inner(source, argument, *found)
                break


def nested_fields(source: Source) -> dict[str, dict[str, str]]:
    """Return what each field of a configuration takes, by the path of the configuration."""
    result: dict[str, dict[str, str]] = {}
    for path, node, module in nested_configurations(source):
        rows = _rows(source, node, module)
        if rows:
            result[path] = {name: values.text() for name, values in rows.items()}
    return dict(sorted(result.items()))


def field_values(source: Source, name: str, module: str, field: str) -> Values | None:
    """Return what the field of a configuration takes, None if it is not known."""
    found = source.find(name, module)
    if found is None or not isinstance(found[0], ast.ClassDef) or not _validates(source, *found):
        return None
    node, home = found
    fields = source.fields(node.name, home)
    if not isinstance(node, ast.ClassDef) or field not in fields:
        return None
    return _values(source, fields[field], tuple(_validators(source, node, home, field)))


def classes(source: Source, node: Definition, module: str) -> Iterator[tuple[ast.ClassDef, str]]:
    """The classes that an annotation names, with their modules."""
    match node:
        case ast.ClassDef():
            yield node, module
        case ast.BinOp(left=left, right=right):
            yield from classes(source, left, module)
            yield from classes(source, right, module)
        case ast.Subscript(value=ast.Name(id="Optional" | "Union" | "Annotated"), slice=inner):
            for member in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
                yield from classes(source, member, module)
        case ast.Constant(value=str(text)):
            yield from classes(source, ast.parse(text, mode="eval").body, module)
        case ast.Name(id=name):
            found = source.find(name, module)
            if found is not None:
                yield from classes(source, *found)


def is_configuration(node: ast.ClassDef) -> bool:
    """Whether a class is one of vLLM's configurations, which its decorator `config` says."""
    return any("config" in ast.unparse(decorator) for decorator in node.decorator_list)


def enumeration_members(node: ast.ClassDef) -> dict[str, ast.expr]:
    """The members of an enumeration with their values."""
    return {
        statement.targets[0].id: statement.value
        for statement in node.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def is_enumeration(node: ast.ClassDef) -> bool:
    """Whether a class is an enumeration."""
    return any("Enum" in ast.unparse(base) for base in node.bases)


def _with_inner(
    source: Source, path: str, node: Definition, module: str
) -> Iterator[tuple[str, ast.ClassDef, str]]:
    """A configuration, and those in its fields."""
    if not isinstance(node, ast.ClassDef) or not is_configuration(node):
        return
    if not _validates(source, node, module):
        return
    yield path, node, module
    for field, values in _rows(source, node, module).items():
        if "dict" in values.accepted.types:
            for inner, where in classes(source, *source.fields(node.name, module)[field]):
                yield from _with_inner(source, f"{path}.{field}", inner, where)


def _rows(source: Source, node: ast.ClassDef, module: str) -> dict[str, Values]:
    """What the fields of a configuration take, as far as it is understood."""
    ignored = _ignored(source, node, module)
    rows: dict[str, Values] = {}
    for field, definition in sorted(source.fields(node.name, module).items()):
        values = _values(source, definition, tuple(_validators(source, node, module, field)))
        if field not in ignored and values is not None:
            rows[field] = values
    return rows


def _ignored(source: Source, node: ast.ClassDef, module: str) -> set[str]:
    """The fields with `init=False`, which vLLM fills in: a stated value is dropped."""
    result: set[str] = set()
    for base in node.bases:
        found = source.find(base.id, module) if isinstance(base, ast.Name) else None
        if found is not None and isinstance(found[0], ast.ClassDef):
            result |= _ignored(source, *found)
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(keywords=keywords)):
                if any(ast.unparse(keyword) == "init=False" for keyword in keywords):
                    result.add(name)
    return result


def _validates(source: Source, node: Definition, module: str) -> bool:
    """Whether the class is a dataclass of pydantic, by its own decorator or by vLLM's `config`."""
    homes = [module]
    for decorator in getattr(node, "decorator_list", ()):
        name = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
        found = source.find(name, module) if name == "config" else None
        if found is not None:
            homes.append(found[1])
    return any(_imports_pydantic(source, home) for home in homes)


def _imports_pydantic(source: Source, module: str) -> bool:
    tree = source.module(module)
    return tree is not None and any(
        isinstance(node, ast.ImportFrom)
        and node.module == "pydantic.dataclasses"
        and any(alias.name == "dataclass" for alias in node.names)
        for node in tree.body
    )


@dataclass(frozen=True)
class _Validator:
    """A validator of a field: before the check, around it, or after."""

    mode: str
    function: ast.FunctionDef


def _validators(
    source: Source, node: ast.ClassDef, module: str, field: str
) -> Iterator[_Validator]:
    for base in node.bases:
        found = source.find(base.id, module) if isinstance(base, ast.Name) else None
        if found is not None and isinstance(found[0], ast.ClassDef):
            yield from _validators(source, found[0], found[1], field)
    for function in node.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for decorator in function.decorator_list:
            match decorator:
                case ast.Call(func=ast.Name(id="field_validator"), args=args, keywords=keywords):
                    names = [arg.value for arg in args if isinstance(arg, ast.Constant)]
                    modes = [ast.literal_eval(key.value) for key in keywords if key.arg == "mode"]
                    if field in names or "*" in names:
                        yield _Validator(modes[0] if modes else "after", function)


def _values(
    source: Source, definition: tuple[ast.expr, str], validators: tuple[_Validator, ...]
) -> Values | None:
    annotation, home = definition
    if not _all_known(source, annotation, home):
        return None
    found = accepted(source, annotation, home)
    enumerations = [node for node, _ in classes(source, annotation, home) if is_enumeration(node)]
    any_case = False
    texts: tuple[str, ...] = ()
    for validator in validators:
        if validator.mode == "wrap" and "value is None" in ast.unparse(validator.function):
            found |= Accepted(frozenset({"none"}))
        elif validator.mode == "before":
            read = _reads_before(validator.function, [node.name for node in enumerations])
            if read is None:
                return None
            any_case, texts = any_case or bool(read), texts + read
    if enumerations and (any_case or "str" not in _names(annotation)):
        members = _enumerated(enumerations, by_name=any_case)
        found = Accepted(found.types - {"int", "str"}) | members
        found |= Accepted(frozenset(), tuple(text for text in texts if text))
    return Values(found, any_case) if found.types else None


def _names(annotation: ast.expr) -> set[str]:
    """The names that an annotation has itself."""
    return {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}


def _enumerated(enumerations: list[ast.ClassDef], *, by_name: bool) -> Accepted:
    """What pydantic takes for enumerations: their values, and with a validator their names."""
    result = NOTHING
    for node in enumerations:
        for name, value in enumeration_members(node).items():
            constant = value.value if isinstance(value, ast.Constant) else None
            if by_name:
                result |= Accepted(frozenset({"str"}), (name,))
            elif isinstance(constant, str):
                result |= Accepted(frozenset({"str"}), (constant,))
            if isinstance(constant, int) and not isinstance(constant, bool):
                result |= Accepted(frozenset({"int"}), (constant,))
    return result


def _reads_before(function: ast.FunctionDef, enumerations: list[str]) -> tuple[str, ...] | None:
    """The texts that a validator reads beside an enumeration's names, with one empty text.

    No text at all if it leaves texts as they are; None if it does something else.
    """
    body = ast.unparse(function)
    if any(f"{name}[value.upper()]" in body for name in enumerations) or any(
        f"in {name}.__members__" in body and ".upper()" in body for name in enumerations
    ):
        return ("", *(("auto",) if "value.lower() == 'auto'" in body else ()))
    if not enumerations and "value.lower()" in body:
        return ("",)
    if "isinstance(value, dict)" in body and "(**value)" in body:
        return ()
    return None


def _all_known(source: Source, node: Definition, module: str) -> bool:
    """Whether each name of an annotation is understood."""
    match node:
        case ast.ClassDef() | ast.Constant(value=None):
            return True
        case ast.Constant(value=str(text)):
            return _all_known(source, ast.parse(text, mode="eval").body, module)
        case ast.BinOp(left=left, right=right):
            return _all_known(source, left, module) and _all_known(source, right, module)
        case ast.Subscript(value=ast.Name(id="Literal")):
            return True
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in _WRAPPERS:
            members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if name == "Annotated":
                members = members[:1]
            return name != "SkipValidation" and all(
                _all_known(source, member, module) for member in members
            )
        case ast.Subscript(value=value):
            return _all_known(source, value, module)
        case ast.Name(id=name) if name in BUILTIN_TYPES:
            return bool(BUILTIN_TYPES[name])
        case ast.Name(id=name):
            found = source.find(name, module)
            open_ = _is_any(source, name, module)
            return found is not None and not open_ and _all_known(source, *found)
    return False


def _is_any(source: Source, name: str, module: str) -> bool:
    """Whether a name is a class for type checkers only: `else: TensorizerConfig = Any`."""
    tree = source.module(module)
    return tree is not None and any(
        isinstance(value := assigned(node, name), ast.Name) and value.id == "Any"
        for node in top_level(tree.body)
    )
