"""Turns the annotation of a vLLM argument into the values that a YAML file may give for it."""

import ast
import sys
from dataclasses import dataclass

from scripts.vllm_facts.source import Definition, Source

ALL_TYPES = ("int", "float", "bool", "str", "list", "dict", "none")
BUILTIN_TYPES = {
    "int": ("int",),
    "float": ("int", "float"),
    "bool": ("bool",),
    "str": ("str",),
    "None": ("none",),
    "Any": ALL_TYPES,
    "object": ALL_TYPES,
    **dict.fromkeys(("list", "List", "tuple", "Tuple", "set", "Set", "Sequence"), ("list",)),
    **dict.fromkeys(("dict", "Dict", "Mapping", "TypedDict"), ("dict",)),
    # A YAML file can hold neither a class nor a function.
    **dict.fromkeys(("type", "Type", "Callable"), ()),
}


@dataclass(frozen=True)
class Accepted:
    """What an annotation accepts; `open` if one of its members takes any string or number."""

    types: frozenset[str]
    choices: tuple[str | int, ...] = ()
    open: bool = False

    def __or__(self, other: "Accepted") -> "Accepted":
        return Accepted(
            self.types | other.types,
            tuple(dict.fromkeys(self.choices + other.choices)),
            self.open or other.open,
        )


NOTHING = Accepted(frozenset())


def accepted(source: Source, node: Definition, module: str) -> Accepted:
    """Return the YAML types and the choices that an annotation accepts."""
    match node:
        case ast.ClassDef():
            return _of_class(node)
        case ast.Constant(value=None):
            return Accepted(frozenset({"none"}))
        case ast.Constant(value=str(text)):
            return accepted(source, ast.parse(text, mode="eval").body, module)
        case ast.BinOp(left=left, right=right):
            return accepted(source, left, module) | accepted(source, right, module)
        case ast.Attribute(attr=attr):
            # torch.dtype is written as text in YAML
            return Accepted(frozenset({"str"}), open=True) if attr == "dtype" else NOTHING
        case ast.Name(id=name) if name in BUILTIN_TYPES:
            types = BUILTIN_TYPES[name]
            return Accepted(frozenset(types), open=bool({"int", "float", "str"} & set(types)))
        case ast.Name(id=name):
            found = source.find(name, module)
            if found is None:
                # YAML cannot express a class of another package, such as an executor.
                return NOTHING
            return accepted(source, found[0], found[1])
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            return _of_literal(source, inner, module)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return accepted(source, inner, module) | Accepted(frozenset({"none"}))
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=members)):
            result = NOTHING
            for member in members:
                result |= accepted(source, member, module)
            return result
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *_])):
            return accepted(source, inner, module)
        case ast.Subscript(value=value):
            return accepted(source, value, module)
    sys.exit(f"annotation not understood in {module}: {ast.unparse(node)}")


def _of_literal(source: Source, inner: ast.expr, module: str) -> Accepted:
    result = NOTHING
    for member in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
        if not isinstance(member, ast.Constant):  # the name of another Literal
            result |= accepted(source, member, module)
        elif member.value is None or isinstance(member.value, bool):
            result |= Accepted(frozenset({"bool" if member.value is not None else "none"}))
        elif isinstance(member.value, str | int):
            kind = type(member.value).__name__
            result |= Accepted(frozenset({kind}), (member.value,))
    return result


def _of_class(node: ast.ClassDef) -> Accepted:
    """A dataclass is written as a mapping, an enumeration as the name of a member."""
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    if any("Enum" in base for base in bases):
        if "IntEnum" in bases:
            return Accepted(frozenset({"int"}), open=True)
        return Accepted(frozenset({"str"}), open=True)
    return Accepted(frozenset({"dict"}))
