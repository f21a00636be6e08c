"""Makes models/catalog/vllm/<version>.yaml: what a vLLM release accepts, read from its source.

    uv run python scripts/vllm_facts.py --index URL [VERSION ...]

URL is a package index that answers with JSON (the simple API); without it PIP_INDEX_URL is
used. Without versions, those of the release table are made. The source distribution is read
in memory; where a release has none, only the needed files of its wheel are fetched, by HTTP
ranges. vLLM is parsed, never imported, so neither a GPU nor its dependencies are needed.
"""

import argparse
import ast
import io
import json
import os
import sys
import tarfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "models" / "catalog" / "vllm"
LARGEST_RESPONSE = 200_000_000
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
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
Definition = ast.expr | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
DTYPES = {"half": "float16", "float": "float32"}


class RemoteFile(io.RawIOBase):
    """A file behind HTTP, read by ranges: zipfile then fetches the members it is asked for."""

    def __init__(self, url: str, size: int) -> None:
        self._url, self._size, self._position = url, size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        data = fetch(self._url, {"Range": f"bytes={self._position}-{end - 1}"})
        if len(data) != end - self._position:
            sys.exit(f"{self._url} does not answer ranges")
        buffer[: len(data)] = data
        self._position = end
        return len(data)


def fetch(url: str, headers: dict[str, str]) -> bytes:
    """Return the body of a GET."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the index's own URL
    with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
        body: bytes = response.read(LARGEST_RESPONSE)
    return body


def open_release(index: str, version: str) -> Callable[[str], str | None]:
    """Return a function from a path like `vllm/config.py` to its text, or None without it."""
    project = urllib.parse.urljoin(index.rstrip("/") + "/", "vllm/")
    listing = json.loads(fetch(project, {"Accept": "application/vnd.pypi.simple.v1+json"}))
    files = {entry["filename"]: entry for entry in listing["files"]}
    name = f"vllm-{version}.tar.gz"
    if name in files:
        data = fetch(urllib.parse.urljoin(project, files[name]["url"]), {})
        archive = tarfile.open(fileobj=io.BytesIO(data))
        members = {member.name.partition("/")[2]: member for member in archive if member.isfile()}

        def read_sdist(path: str) -> str | None:
            stream = archive.extractfile(members[path]) if path in members else None
            return None if stream is None else stream.read().decode()

        return read_sdist
    wheels = [n for n in files if n.startswith(f"vllm-{version}-") and n.endswith("x86_64.whl")]
    if not wheels:
        sys.exit(f"the index has neither a source distribution nor a wheel of vLLM {version}")
    entry = files[wheels[0]]
    remote = RemoteFile(urllib.parse.urljoin(project, entry["url"]), entry["size"])
    wheel = zipfile.ZipFile(io.BufferedReader(remote, 1 << 20))
    names = set(wheel.namelist())
    return lambda path: wheel.read(path).decode() if path in names else None


@dataclass
class Source:
    """A release's modules, parsed when asked for, and the names in them followed to their home."""

    read: Callable[[str], str | None]
    _modules: dict[str, ast.Module | None] = field(default_factory=dict)

    def module(self, name: str) -> ast.Module | None:
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
        """Return the definition of a name that `module` sees, and the module it stands in."""
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
        if found is None or not isinstance(found[0], ast.ClassDef):
            sys.exit(f"class {class_name} is not found from {module}")
        node, home = found
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
    """Yield the statements of a module, those under `if` and `try` too."""
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


@dataclass(frozen=True)
class Accepted:
    """What an annotation accepts; `open` when a member of it takes any text or number."""

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
                # A class of another package, such as an executor: not to be had from YAML.
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


def engine_arguments(source: Source) -> dict[str, str]:
    """Return each field of AsyncEngineArgs as `type|type [choice, choice]`."""
    module = "vllm.engine.arg_utils"
    return arguments(source, source.fields("AsyncEngineArgs", module), converted(source, module))


def converted(source: Source, module: str) -> dict[str, Accepted]:
    """Return what `__post_init__` takes beyond the annotations: `isinstance(self.x, (int, dict))`."""
    result: dict[str, Accepted] = {}
    function = _method(source, "EngineArgs", module, "__post_init__")
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
            sys.exit(f"{name}: {ast.unparse(annotation)} accepts nothing that YAML can say")
        closed = found.choices and not found.open
        result[name] = f"{types} [{', '.join(map(str, found.choices))}]" if closed else types
    return dict(sorted(result.items()))


def front_end_fields(source: Source) -> dict[str, tuple[ast.expr, str]]:
    """Return the fields of FrontendArgs, all of which Ray takes among the engine arguments."""
    for module in FRONT_END_MODULES:
        if source.find("FrontendArgs", module) is not None:
            return source.fields("FrontendArgs", module)
    sys.exit("class FrontendArgs is not found")


def read_by_ray(source: Source) -> set[str]:
    """Return the `args.x` that `init_app_state` reads: all that Ray runs of the front end."""
    result: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [("init_app_state", "vllm.entrypoints.openai.api_server")]
    if source.find(*waiting[0]) is None:
        sys.exit("init_app_state is not found")
    while waiting:
        place = waiting.pop()
        found = source.find(*place)
        if found is None or place in seen:
            continue
        seen.add(place)
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
    """Return min_capability and activation dtypes by method, None where code decides."""
    home = "vllm.model_executor.layers.quantization"
    literal = source.find("QuantizationMethods", home)
    tree = source.module(home)
    if literal is None or tree is None:
        sys.exit("QuantizationMethods is not found")
    function = next(
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "get_quantization_config"
    )
    classes: dict[str, tuple[str, str]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.ImportFrom):
            module = source.home(node, home)
            classes |= {alias.asname or alias.name: (alias.name, module) for alias in node.names}
    method_to_class: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Name):
                    method_to_class[key.value] = value.id
    result: dict[str, list[Any]] = {}
    for method in accepted(source, literal[0], literal[1]).choices:
        name, module = classes.get(method_to_class.get(str(method), ""), ("", ""))
        result[str(method)] = [
            _returned_number(source, name, module),
            _returned_dtypes(source, name, module),
        ]
    return dict(sorted(result.items()))


def _method(source: Source, class_name: str, module: str, method: str) -> ast.FunctionDef | None:
    found = source.find(class_name, module) if class_name else None
    if found is None or not isinstance(found[0], ast.ClassDef):
        return None
    for node in found[0].body:
        if isinstance(node, ast.FunctionDef) and node.name == method:
            return node
    for base in found[0].bases:
        if isinstance(base, ast.Name) and base.id != "QuantizationConfig":
            inherited = _method(source, base.id, found[1], method)
            if inherited is not None:
                return inherited
    return None


def _only_return(function: ast.FunctionDef | None) -> ast.expr | None:
    """Return the one expression that a function can return; None if the code chooses."""
    if function is None:
        return None
    returns = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return returns[0] if len(returns) == 1 else None


def _returned_number(source: Source, class_name: str, module: str) -> int | None:
    value = _only_return(_method(source, class_name, module, "get_min_capability"))
    if isinstance(value, ast.Constant) and isinstance(value.value, int) and value.value > 0:
        return value.value
    return None


def _returned_dtypes(source: Source, class_name: str, module: str) -> list[str] | None:
    value = _only_return(_method(source, class_name, module, "get_supported_act_dtypes"))
    if not isinstance(value, ast.List):
        return None
    names = [item.attr for item in value.elts if isinstance(item, ast.Attribute)]
    return [DTYPES.get(name, name) for name in names]


def architectures(source: Source) -> list[str]:
    """Return the generating architectures of the model registry, text and multimodal."""
    home = "vllm.model_executor.models.registry"
    result: set[str] = set()
    for name in ("_TEXT_GENERATION_MODELS", "_MULTIMODAL_MODELS"):
        found = source.find(name, home)
        if found is None or not isinstance(found[0], ast.Dict):
            sys.exit(f"{name} is not found in the model registry")
        result |= {key.value for key in found[0].keys if isinstance(key, ast.Constant)}
    return sorted(result)


def float16_refused(source: Source) -> list[str]:
    """Return the model types that refuse float16."""
    for module in ("vllm.config.model", "vllm.config"):
        found = source.find("_FLOAT16_NOT_SUPPORTED_MODELS", module)
        if found is not None and isinstance(found[0], ast.Dict):
            return sorted(key.value for key in found[0].keys if isinstance(key, ast.Constant))
    sys.exit("_FLOAT16_NOT_SUPPORTED_MODELS is not found")


def write(version: str, source: Source) -> Path:
    """Write the facts of one release and return the file."""
    front_end = front_end_fields(source)
    serving = read_by_ray(source)
    lines = [
        f"# vLLM {version}, read from its source by scripts/vllm_facts.py. Do not edit.",
        "# engine_arguments: types, then the only values. quantization_methods: least compute",
        "# capability (75 is 7.5) and activation dtypes, null where code decides.",
        "# Of vLLM's front end Ray runs what takes serving_arguments; the rest has no effect.",
        "engine_arguments:",
        *(f"  {name}: {text}" for name, text in engine_arguments(source).items()),
        "serving_arguments:",
        *(
            f"  {name}: {text}"
            for name, text in arguments(
                source, {name: row for name, row in front_end.items() if name in serving}
            ).items()
        ),
        "front_end_arguments:",
        *(f"- {name}" for name in sorted(set(front_end) - serving)),
        "quantization_methods:",
        *(f"  {name}: {json.dumps(row)}" for name, row in quantization_methods(source).items()),
        "float16_refused:",
        *(f"- {name}" for name in float16_refused(source)),
        "architectures:",
        *(f"- {name}" for name in architectures(source)),
    ]
    path = TARGET / f"{version}.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Make the files of the versions on the command line."""
    parser = argparse.ArgumentParser(description="Read what vLLM releases accept.")
    parser.add_argument("--index", default=os.environ.get("PIP_INDEX_URL"))
    parser.add_argument("versions", nargs="*")
    arguments = parser.parse_args()
    if not arguments.index:
        parser.error("name a package index with --index, or set PIP_INDEX_URL")
    versions = arguments.versions
    if not versions:
        sys.path.insert(0, str(ROOT))
        from models.catalog import vllm_versions

        versions = vllm_versions()
    TARGET.mkdir(exist_ok=True)
    for version in versions:
        path = write(version, Source(open_release(arguments.index, version)))
        print(f"{path.relative_to(ROOT)}: {len(path.read_text().splitlines())} lines")


if __name__ == "__main__":
    main()
