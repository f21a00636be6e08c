"""Reads the YAML files of facts, which are next to the modules.

Parsing those of the catalogue takes a tenth of the time of a plan, so the parsed content is kept in
`__pycache__`, as Python keeps compiled modules: with a hash of the file, and only if the folder can
be written. Callers cache what they read; nothing is read at import.
"""

import contextlib
import os
import pickle
import sys
from importlib import util
from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).parent
# libyaml's parser if PyYAML was built with it: it is some ten times faster.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(name: str, folder: Path = _FOLDER) -> Any:
    """Return the parsed content of a YAML file, of the catalogue unless a folder is given."""
    path = folder / name
    source = path.read_bytes()
    source_hash = util.source_hash(source)
    kept_at = Path(util.cache_from_source(str(path))).with_suffix(".pickle")
    try:
        kept = kept_at.read_bytes()
    except OSError:
        kept = b""
    if kept.startswith(source_hash):
        with contextlib.suppress(Exception):  # cut short or overwritten: read the file anew
            return pickle.loads(kept[len(source_hash) :])  # noqa: S301 - trusted as a .pyc is
    content = yaml.load(source, Loader=_Loader)  # noqa: S506 - a safe loader either way
    if not sys.dont_write_bytecode:
        _keep(kept_at, source_hash + pickle.dumps(content))
    return content


def _keep(path: Path, content: bytes) -> None:
    """Writes the file whole or not at all, because other processes may read it at the same time."""
    unfinished = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
