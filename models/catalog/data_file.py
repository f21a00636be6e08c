"""Reads YAML files of facts, which are next to the modules.

libyaml's parser is used if PyYAML was built with it: it is some ten times faster, and the
catalogue is read on every preview. Whoever reads a file caches it; nothing is read at import.
"""

from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).parent
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(name: str, folder: Path = _FOLDER) -> Any:
    """Return the parsed content of a YAML file, of the catalogue unless a folder is given."""
    text = (folder / name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader either way
