"""Parses the modules of a release and follows names through their imports.

Nothing is imported or run, so neither a GPU nor vLLM's dependencies are needed.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
Definition = ast.expr | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Source:
    """A release's modules, parsed on demand; finds the definitions of the names in them."""

    read: Callable[[str], str | None]
    _modules: dict[str, ast.Module | None] = field(default_factory=dict)

    def module(self, name: str) -> ast.Module | None:
        """Return a parsed module, or None if the release does not have it."""
        if name not in self._modules:
            path = name.replace(".", "/")
            text = self.read(f"{path}.py")
            if text is None:
                text = self.read(f"{path}/__init__.py")
            self._modules[name] = None if text is None else ast.parse(text)
        return self._modules[name]

    def _is_package(self, name: str) -> bool:
        return self.read(name.replace(".", "/") + "/__init__.py") is not None

    def find(self, name: str, module: str) -> tuple[Definition, str] | None:
        """Return the definition of a name that `module` sees, and the module that defines it."""
        tree = self.module(module)
        if tree is None:
            return None
        imported: list[tuple[str, str]] = []
        for node in top_level(tree.body):
            if isinstance(node, DEFINITIONS) and node.name == name:
                return node, module
            value = assigned(node, name)
            # `if TYPE_CHECKING: import X  else: X = Any` means the import.
            if value is not None and not (isinstance(value, ast.Name) and value.id == "Any"):
                return value, module
            if isinstance(node, ast.ImportFrom):
                home = self.home(node, module)
                imported += [(home, a.name) for a in node.names if (a.asname or a.name) == name]
        for home, original in imported:
            if home != module and (found := self.find(original, home)) is not None:
                return found
        return None

    def home(self, node: ast.ImportFrom, module: str) -> str:
        """Return the module that an import statement in `module` names."""
        if not node.level:
            return node.module or ""
        drop = node.level - (1 if self._is_package(module) else 0)
        parts = module.split(".")
        base = parts[: len(parts) - drop]
        return ".".join([*base, node.module] if node.module else base)

    def fields(self, class_name: str, module: str) -> dict[str, tuple[ast.expr, str]]:
        """Return the annotated fields of a dataclass and its bases, with their module."""
        found = self.find(class_name, module)
        node, home = found or (None, module)
        if not isinstance(node, ast.ClassDef):
            sys.exit(f"class {class_name} is not found from {module}")
        result: dict[str, tuple[ast.expr, str]] = {}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id not in ("object", "Protocol"):
                result |= self.fields(base.id, home)
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                name = statement.target.id
                if not name.startswith("_") and "ClassVar" not in ast.dump(statement.annotation):
                    result[name] = (statement.annotation, home)
        return result


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, including those under `if` and `try`."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from top_level(node.body + node.orelse)
        elif isinstance(node, ast.Try):
            yield from top_level(node.body)


def assigned(node: ast.stmt, name: str) -> ast.expr | None:
    """Return what a statement assigns to `name`."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return None
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return node.value if name in names else None
