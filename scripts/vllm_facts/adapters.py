"""Which model classes take LoRA adapters: those that inherit `SupportsLoRA`."""

import ast

from scripts.vllm_facts.facts import MODEL_TABLES, REGISTRY
from scripts.vllm_facts.source import Source

_INTERFACE = "SupportsLoRA"
_MODELS = "vllm.model_executor.models"


def lora_architectures(source: Source) -> list[str]:
    """Return the architectures of the registry whose class takes LoRA adapters."""
    found = set()
    for table in MODEL_TABLES:
        definition = source.find(table, REGISTRY)
        if definition is None or not isinstance(definition[0], ast.Dict):
            continue
        for key, value in zip(definition[0].keys, definition[0].values, strict=True):
            names = _texts(value)
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and len(names) == 2:
                module, name = names
                if _inherits(source, name, f"{_MODELS}.{module}"):
                    found.add(key.value)
    return sorted(found)


def _texts(node: ast.expr) -> list[str]:
    elements = node.elts if isinstance(node, ast.Tuple) else []
    constants = [item.value for item in elements if isinstance(item, ast.Constant)]
    return [value for value in constants if isinstance(value, str)]


def _inherits(source: Source, name: str, module: str) -> bool:
    """Whether a class has the interface among its bases, however far up."""
    if name == _INTERFACE:
        return True
    found = source.find(name, module)
    if found is None or not isinstance(found[0], ast.ClassDef):
        return False
    bases = [base.id for base in found[0].bases if isinstance(base, ast.Name)]
    return any(base != name and _inherits(source, base, found[1]) for base in bases)
