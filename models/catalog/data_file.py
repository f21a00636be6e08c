"""Reads the catalogue's YAML files, which stand beside the modules.

libyaml's parser is used where PyYAML was built with it: it is some ten times faster,
and the catalogue is read on every preview.
"""

from importlib import resources
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(name: str) -> Any:
    """Return the parsed content of `models/catalog/<name>`."""
    text = resources.files("models.catalog").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader either way
