"""Reads the catalogue's YAML files, which lie in this folder.

Parsing them takes a tenth of the time of a plan, so what was parsed is kept in `__pycache__`, as
Python keeps compiled modules there: by a hash of the file, and only if that folder can be written.
"""

import contextlib
import os
import pickle
import sys
from importlib import util
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent
# libyaml's parser if PyYAML was built with it: it is some ten times faster.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(name: str) -> Any:
    """Return the parsed content of `models/catalog/<name>`."""
    path = _FOLDER / name
    source = path.read_bytes()
    kept = Path(util.cache_from_source(str(path))).with_suffix(".pickle")
    source_hash = util.source_hash(source)
    try:
        kept_hash, content = pickle.loads(kept.read_bytes())  # noqa: S301 - trusted like a .pyc
    except (OSError, EOFError, ValueError, TypeError, pickle.UnpicklingError):
        kept_hash = None
    if kept_hash != source_hash:
        content = yaml.load(source, Loader=_Loader)  # noqa: S506 - a safe loader either way
        _keep(kept, pickle.dumps((source_hash, content)))
    return content


def _keep(path: Path, pickled: bytes) -> None:
    if sys.dont_write_bytecode:
        return
    unfinished = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        unfinished.write_bytes(pickled)
        unfinished.replace(path)
