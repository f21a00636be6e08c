"""Reads which architectures vLLM can run by the code of transformers.

An architecture that vLLM's registry lacks is run by its Transformers backend if the class of
transformers says `_supports_attention_backend` (`is_backend_compatible`).
"""

import ast
import re
from collections.abc import Mapping

_MODELING = re.compile(r"(?:src/)?transformers/models/\w+/modeling_\w+\.py")
_FLAG = "_supports_attention_backend"
_GENERATES = "ForCausalLM"


def backend_architectures(files: Mapping[str, str]) -> list[str]:
    """Return the classes for text generation that are compatible, from a release's files."""
    bases: dict[str, list[str]] = {}
    flags: dict[str, bool] = {}
    for path, text in files.items():
        if not _MODELING.fullmatch(path):
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
                for value in map(_flag, node.body):
                    if value is not None:
                        flags[node.name] = value
    return sorted(
        name for name in bases if name.endswith(_GENERATES) and _compatible(name, bases, flags)
    )


def _flag(statement: ast.stmt) -> bool | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=bool(value))):
            return value if name == _FLAG else None
    return None


def _compatible(name: str, bases: Mapping[str, list[str]], flags: Mapping[str, bool]) -> bool:
    """Whether the class or the first base that says anything says that it is."""
    if name in flags:
        return flags[name]
    return any(_compatible(base, bases, flags) for base in bases.get(name, ()) if base != name)
