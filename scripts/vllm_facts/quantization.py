"""Reads how a vLLM release chooses the quantization method of a checkpoint.

Most checkpoints are loaded by the method that they name. Some methods take over the checkpoints
of another (`override_quantization_method`), some quantize 16-bit weights while they load them, and
compressed-tensors chooses a scheme, each with a capability of its own.
"""

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from scripts.vllm_facts.facts import method_classes, method_of, only_return, texts
from scripts.vllm_facts.source import Source, assigned

HOME = "vllm.model_executor.layers.quantization"
SCHEMES = f"{HOME}.compressed_tensors.schemes"
# Constructed without a configuration as those are that quantize while they load, but made for
# files of their own: 16-bit weights are not turned into them.
OWN_FILES = frozenset({"gguf", "mxfp4", "gpt_oss_mxfp4", "deepseek_v4_fp8", "humming", "fp_quant"})
# They take over GPTQ checkpoints only where the package bitblas is installed, which vLLM does not
# bring along.
OTHER_PACKAGES = frozenset({"bitblas", "gptq_bitblas"})
# The only type with zero points that Marlin runs: query_marlin_supported_quant_types.
ZERO_POINT = "uint4"
MARLIN = f"{HOME}.utils.marlin_utils"
# Where a release gives ModelOpt's own file the name of a method.
NORMALIZERS = (
    (
        "vllm.transformers_utils.model_arch_config_convertor",
        "ModelArchConfigConvertorBase",
        "_normalize_quantization_config",
    ),
    ("vllm.config.model", "ModelConfig", "_parse_quant_hf_config"),
    ("vllm.config", "ModelConfig", "_parse_quant_hf_config"),
)
# What an override compares with, by the text of the compared expression. The first that is found
# in the text counts.
COMPARED = {
    "user_quant": "stated",
    "checkpoint_format": "formats",
    "quant_method": "of",
    "algo": "algorithms",
    "model_type": "model_types",
    "bits": "bits",
}


def takeovers(source: Source) -> dict[str, dict[str, Any]]:
    """Return what each method takes over on CUDA, in the order in which vLLM asks them.

    `of` are the checkpoints' methods, `stated` the values of `quantization` with which it does so
    (null: none stated); `algorithms`, `formats`, `model_types` and `bits` narrow the checkpoints.
    What a row does not say does not matter. Texts are patterns. Rows with `marlin` hold only for
    what the Marlin kernels run: on a GPU with the capability of the method, in `group_sizes`.
    """
    classes = method_classes(source)
    result: dict[str, dict[str, Any]] = {}
    seen: set[tuple[str, str]] = set()
    for method in _asked_in_order(source, sorted(classes)):
        home = classes.get(method, ("", ""))
        function = method_of(source, *home, "override_quantization_method")
        if function is None or home in seen or method in OTHER_PACKAGES:
            continue
        seen.add(home)  # another name of the same class comes too late
        reader = _Override(source, *home)
        if reader.read(function):
            result[method] = {key: reader.found[key] for key in sorted(reader.found)}
    return result


def quantize_while_loading(source: Source) -> list[str]:
    """Return the methods that quantize 16-bit weights on CUDA while they load."""
    result = set(_shorthands(source))
    for method, (name, module) in method_classes(source).items():
        files = only_return(method_of(source, name, module, "get_config_filenames"))
        start = method_of(source, name, module, "__init__")
        if start is None or not isinstance(files, ast.List) or files.elts:
            continue
        given = start.args.args[1 : len(start.args.args) - len(start.args.defaults)]
        capability = only_return(method_of(source, name, module, "get_min_capability"))
        on_cuda = isinstance(capability, ast.Constant) and not _refuses_cuda(start)
        if not given and on_cuda:
            result.add(method)
    return sorted(result - OWN_FILES)


def compressed_tensors_schemes(source: Source) -> dict[str, int]:
    """Return the least compute capability of each scheme class of compressed-tensors."""
    tree = source.module(SCHEMES)
    result = {}
    for node in ast.walk(tree) if tree else ():
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            function = method_of(source, alias.name, SCHEMES, "get_min_capability")
            numbers = [
                (given.lineno, given.value.value)
                for given in (ast.walk(function) if function else ())
                if isinstance(given, ast.Return)
                and isinstance(given.value, ast.Constant)
                and isinstance(given.value.value, int)
            ]
            if numbers:  # the last one counts where an environment variable is not set
                result[alias.name] = max(numbers)[1]
    return dict(sorted(result.items()))


def own_files(source: Source) -> dict[str, list[str]]:
    """Return the files in which a method finds its configuration if config.json has none."""
    result = {}
    for method, home in sorted(method_classes(source).items()):
        files = only_return(method_of(source, *home, "get_config_filenames"))
        if isinstance(files, ast.List) and files.elts:
            result[method] = texts(files.elts)
    return result


def modelopt_algorithms(source: Source) -> list[str]:
    """Return the values of `quant_algo` that ModelOpt's methods load."""
    found = source.find("QUANT_ALGOS", f"{HOME}.modelopt")
    return texts(found[0].elts) if found and isinstance(found[0], ast.List) else []


def modelopt_file_algorithms(source: Source) -> dict[str, str]:
    """Return the method for each `quant_algo` in a hf_quant_config.json beside config.json.

    Empty if the release does not read that file unless `quantization` is stated.
    """
    for module, class_name, name in NORMALIZERS:
        function = method_of(source, class_name, module, name)
        result: dict[str, str] = {}
        for node in ast.walk(function) if function else ():
            match node:
                case ast.If(
                    test=ast.Compare(left=ast.Name(id=compared), comparators=[right]),
                    body=[ast.Assign(value=ast.Constant(value=str(method)))],
                ) if "quant_algo" in compared:
                    members = right.elts if isinstance(right, ast.Set) else [right]
                    result |= dict.fromkeys(texts(members), method)
        if result:
            return dict(sorted(result.items()))
    return {}


def weight_limits(source: Source) -> dict[str, dict[str, Any]]:
    """Return the bits of a weight that each method loads, and whether symmetric ones alone.

    A method whose constructor refuses none is left out.
    """
    result: dict[str, dict[str, Any]] = {}
    for method, home in sorted(method_classes(source).items()):
        start = method_of(source, *home, "__init__")
        for node in ast.walk(start) if start else ():
            match node:
                case ast.If(
                    test=ast.Compare(
                        left=left, ops=[ast.NotIn() | ast.NotEq()], comparators=[accepted]
                    ),
                    body=[*_, ast.Raise()],
                ) if "weight_bits" in ast.unparse(left):
                    limits = _limits(source, home, accepted)
                    if limits:
                        result[method] = limits
    return result


def _limits(source: Source, home: tuple[str, str], accepted: ast.expr) -> dict[str, Any]:
    """The bits in a constant, a list, or an attribute of the class, by number or (bits, sym)."""
    if isinstance(accepted, ast.Attribute):
        found = source.find(*home)
        body = found[0].body if found and isinstance(found[0], ast.ClassDef) else []
        values = (assigned(node, accepted.attr) for node in body)
        accepted = next((value for value in values if value is not None), accepted)
    match accepted:
        case ast.Dict(keys=keys):
            members = [key for key in keys if key is not None]
        case ast.List(elts=members) | ast.Set(elts=members) | ast.Tuple(elts=members):
            pass
        case _:
            members = [accepted]
    limits: dict[str, Any] = {"bits": sorted(set(_first_numbers(members)))}
    if any(isinstance(member, ast.Tuple) for member in members):
        limits["symmetric"] = True
    return limits if limits["bits"] else {}


def _asked_in_order(source: Source, otherwise: list[str]) -> list[str]:
    """The methods in the order of the list `overrides` in ModelConfig._verify_quantization."""
    for module in ("vllm.config.model", "vllm.config"):
        function = method_of(source, "ModelConfig", module, "_verify_quantization")
        for node in ast.walk(function) if function else ():
            match node:
                case ast.Assign(targets=[ast.Name(id="overrides")], value=ast.List(elts=names)):
                    return texts(names)
    return otherwise


def _shorthands(source: Source) -> list[str]:
    found = source.find("_ONLINE_SHORTHANDS", "vllm.config.quantization")
    return texts(found[0].keys) if found and isinstance(found[0], ast.Dict) else []


def _refuses_cuda(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.If)
        and _truth_on_cuda(node.test) is True
        and isinstance(node.body[-1], ast.Raise)
        for node in ast.walk(function)
    )


class _Override:
    """What one `override_quantization_method` looks at."""

    def __init__(self, source: Source, class_name: str, module: str) -> None:
        self._source, self._class, self._module = source, class_name, module
        self._seen: set[str] = set()
        self.found: dict[str, Any] = {}

    def read(self, function: ast.FunctionDef) -> bool:
        """Collect the comparisons; False if the method takes nothing over on CUDA."""
        self._seen.add(function.name)
        returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
        if all(isinstance(value, ast.Constant) and value.value is None for value in returned):
            return False
        return self._statements(function.body) and bool(self.found)

    def _statements(self, body: list[ast.stmt]) -> bool:
        for node in body:
            if not isinstance(node, ast.If):
                self._collect(node)
                continue
            truth = _truth_on_cuda(node.test)
            last = node.body[-1]
            if truth is True and isinstance(last, ast.Return):
                return not isinstance(last.value, ast.Constant) or last.value.value is not None
            chosen = any(isinstance(inner, ast.Return) for inner in ast.walk(node))
            if truth is False or not chosen:  # of another platform, or it only logs or raises
                continue
            self._collect(node.test)
            self._statements(node.body)
            self._statements(node.orelse)
        return True

    def _collect(self, node: ast.AST) -> None:
        for inner in ast.walk(node):
            match inner:
                case ast.Compare(left=left, comparators=[right]):
                    self._compared(left, right, inner.ops[0])
                case ast.Call(
                    func=ast.Attribute(value=value, attr="startswith"),
                    args=[ast.Constant(value=str(start))],
                ):
                    self._add(ast.unparse(value), [f"{start}*"])
                case ast.Call(func=ast.Name(id="check_marlin_supported"), keywords=keywords):
                    self.found["marlin"] = True
                    self.found["group_sizes"] = self._group_sizes()
                    if any(keyword.arg == "has_zp" for keyword in keywords):
                        self.found["zero_point"] = True
                case ast.Call(func=ast.Attribute(value=ast.Name(id="cls"), attr=called)):
                    if called not in self._seen:
                        helper = method_of(self._source, self._class, self._module, called)
                        if helper is not None:
                            self.read(helper)
                case ast.Attribute(value=ast.Name(id="cls"), attr="TYPE_MAP"):
                    self._bits_of_type_map()

    def _compared(self, left: ast.expr, right: ast.expr, operator: ast.cmpop) -> None:
        """Note what a compared expression may be, with both written as patterns."""
        if isinstance(left, ast.Constant) and isinstance(operator, ast.In):
            self._add(ast.unparse(right), [f"*{left.value}*"])
            return
        members = right.elts if isinstance(right, ast.List | ast.Tuple | ast.Set) else [right]
        values = [member.value for member in members if isinstance(member, ast.Constant)]
        self._add(ast.unparse(left), values)

    def _add(self, compared: str, values: list[Any]) -> None:
        key = next((key for text, key in COMPARED.items() if text in compared), None)
        if key is None or (None in values and key != "stated"):
            return
        known = self.found.setdefault(key, [])
        known += [value for value in values if value not in known]

    def _bits_of_type_map(self) -> None:
        found = self._source.find(self._class, self._module)
        for node in found[0].body if found and isinstance(found[0], ast.ClassDef) else ():
            match node:
                case ast.Assign(targets=[ast.Name(id="TYPE_MAP")], value=ast.Dict(keys, values)):
                    self.found["bits"] = self._bits(keys, values)
                    if any(isinstance(key, ast.Tuple) for key in keys):
                        self.found["symmetric"] = True

    def _bits(self, keys: list[ast.expr | None], values: list[ast.expr]) -> list[int]:
        pairs = zip(keys, values, strict=True)
        if self.found.get("zero_point"):
            pairs = (
                (key, value) for key, value in pairs if ast.unparse(value).endswith(ZERO_POINT)
            )
        return sorted(set(_first_numbers([key for key, _ in pairs])))

    def _group_sizes(self) -> list[int]:
        found = self._source.find("MARLIN_SUPPORTED_GROUP_SIZES", MARLIN)
        return [size for size in ast.literal_eval(found[0]) if size > 0] if found else []


def _first_numbers(keys: Sequence[ast.expr | None]) -> Iterator[int]:
    for key in keys:
        first = key.elts[0] if isinstance(key, ast.Tuple) else key
        if isinstance(first, ast.Constant) and isinstance(first.value, int):
            yield first.value


def _truth_on_cuda(test: ast.expr) -> bool | None:
    """Return what a condition about the platform is on CUDA, None if it is about more."""
    match test:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="current_platform"), attr=name)):
            return name == "is_cuda" if name.startswith("is_") else None
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            truth = _truth_on_cuda(operand)
            return None if truth is None else not truth
        case ast.BoolOp(op=operator, values=values):
            truths = [_truth_on_cuda(value) for value in values]
            decisive = isinstance(operator, ast.Or)
            if decisive in truths:
                return decisive
            return None if None in truths else not decisive
    return None
