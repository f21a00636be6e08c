"""The line of a stack file that holds a setting, so that a message can point to it."""

import re
from typing import Final

import yaml

_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def line_of(text: str, path: str) -> int | None:
    """The line, from 1, of what is at `path`, or of the deepest part of the path that is there.

    text: a stack file. path: as problems have it, `ray-llm:models[1].contextLength`.
    None if the file is no YAML, or has not even the first key of the path.
    """
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    node = _below(node, "config", None)[1]
    line: int | None = None
    for key, index in _STEP.findall(path):
        found, node = _below(node, key, int(index) if index else None)
        if found is None:
            break
        line = found
    return line


def _below(
    node: yaml.Node | None, key: str, index: int | None
) -> tuple[int | None, yaml.Node | None]:
    """The line of an entry of a mapping or a list, and its node; None if it has none."""
    if index is not None and isinstance(node, yaml.SequenceNode) and index < len(node.value):
        return node.value[index].start_mark.line + 1, node.value[index]
    if index is None and isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return name.start_mark.line + 1, value
    return None, None
