"""Prints the structure of the code: modules and lines by folder, and the rooms of planning.

    python -m scripts.structure
    python -m scripts.structure --tree ../another-checkout

A room is a module or folder directly in planning/. An arrow leads from a room to a room that it
imports. The floors are the rooms on the longest chain of arrows. Everything is read from the
tracked Python files, so the tree of another commit needs no environment.
"""

import argparse
import ast
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

PRODUCT: Final = (
    "__main__.py",
    "models",
    "planning",
    "rollouts",
    "diagnosis",
    "measuring",
    "reports",
    "manifests",
    "components",
)
GROUPS: Final = ("product", "workshop", "tests")
_PLANNING: Final = "planning"


class Size(NamedTuple):
    """Python modules and their lines."""

    modules: int
    lines: int


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--tree", type=Path, default=Path(), help="the checkout to measure")
    files = sources(parser.parse_args().tree)
    folders = sizes(files)
    for group in GROUPS:
        rows = {name: size for (of, name), size in folders.items() if of == group}
        total = Size(*map(sum, zip(*rows.values(), strict=True))) if rows else Size(0, 0)
        print(f"{group:20} {total.modules:4} modules {total.lines:6} lines")
        for name, size in sorted(rows.items()):
            print(f"  {name:18} {size.modules:4} modules {size.lines:6} lines")
    imported = imported_from_outside(files)
    print(f"modules of planning imported by the rest of the product: {len(imported)}")
    print(f"  {', '.join(sorted(imported))}")
    graph = rooms(files)
    arrows = sum(map(len, graph.values()))
    print(f"rooms of planning: {len(graph)}, floors: {len(floors(graph))}, arrows: {arrows}")
    print(f"  {' > '.join(floors(graph))}")


def sources(tree: Path) -> dict[PurePosixPath, str]:
    """The text of every tracked Python file of a checkout, by path."""
    listed = subprocess.run(
        ["git", "-C", tree, "ls-files", "-z", "*.py"], capture_output=True, text=True, check=True
    ).stdout
    paths = [PurePosixPath(name) for name in listed.split("\0") if name]
    return {path: (tree / path).read_text("utf-8") for path in paths if (tree / path).exists()}


def sizes(files: Mapping[PurePosixPath, str]) -> dict[tuple[str, str], Size]:
    """Modules and lines by group and top folder; a folder `tests` anywhere holds tests."""
    modules: Counter[tuple[str, str]] = Counter()
    lines: Counter[tuple[str, str]] = Counter()
    for path, text in files.items():
        top = path.parts[0]
        group = "tests" if "tests" in path.parts else "product" if top in PRODUCT else "workshop"
        modules[group, top] += 1
        lines[group, top] += len(text.splitlines())
    return {key: Size(modules[key], lines[key]) for key in modules}


def imported_from_outside(files: Mapping[PurePosixPath, str]) -> frozenset[str]:
    """The modules of planning that the rest of the product imports."""
    known = frozenset(_module(path) for path in files)
    outside = (path for path in files if path.parts[0] in PRODUCT and path.parts[0] != _PLANNING)
    found = {name for path in outside for name in _imports(files[path], known)}
    return frozenset(name for name in found if name.split(".")[0] == _PLANNING)


def rooms(files: Mapping[PurePosixPath, str]) -> dict[str, frozenset[str]]:
    """The rooms of planning, each with the rooms that it imports."""
    known = frozenset(_module(path) for path in files)
    graph: dict[str, set[str]] = {}
    for path, text in files.items():
        room = _room(_module(path))
        if room is None:
            continue
        imported = {_room(name) for name in _imports(text, known)} - {room, None}
        graph.setdefault(room, set()).update(name for name in imported if name)
    return {room: frozenset(imported) for room, imported in graph.items()}


def floors(graph: Mapping[str, Set[str]]) -> tuple[str, ...]:
    """The longest chain of imports, from the top. Raises RecursionError if there is a cycle."""

    @cache
    def below(room: str) -> tuple[str, ...]:
        chains = (below(other) for other in sorted(graph[room]))
        return (room, *max(chains, key=len, default=()))

    return max(map(below, sorted(graph)), key=len, default=())


def _module(path: PurePosixPath) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == _PLANNING and len(parts) > 1 else None


def _imports(text: str, known: Set[str]) -> Iterator[str]:
    """The known modules that a module imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named = {f"{node.module}.{alias.name}" for alias in node.names} & known
            yield from named or {node.module} & known


if __name__ == "__main__":
    main()
