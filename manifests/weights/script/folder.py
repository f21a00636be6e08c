"""A folder of the bucket with one revision of a repository, and the record that it is complete."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from manifests.weights.script.hub import HubFile

RECORD: Final = ".ray-llm-weights.json"
"""Written last: a folder without it is not complete."""
_CHUNK: Final = 8 * 1024**2
_SHA256_DIGITS: Final = 64


class KeptFolder:
    """One folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_complete(self) -> bool:
        """Whether everything of its record is there; the hub is not asked."""
        try:
            record: dict[str, Any] = json.loads((self.path / RECORD).read_text("utf-8"))
            files = [(str(item["path"]), int(item["size"])) for item in record["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return all(self._size(path) == size for path, size in files)

    def has(self, file: HubFile) -> bool:
        """Whether the file is there, byte for byte; it is read for that."""
        return self._size(file.path) == file.size and matches(self.path / file.path, file)

    def keep(self, staged: Path, file: HubFile) -> None:
        """Copies a file into the folder, from its beginning to its end.

        Cloud Storage FUSE writes a file that way as it comes, and the object is there once it is
        closed. Raises OSError if something else than the file is there afterwards.
        """
        target = self.path / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("rb") as source, target.open("wb") as sink:
            while chunk := source.read(_CHUNK):
                sink.write(chunk)
        if self._size(file.path) != file.size:
            raise OSError(f"{target} has {self._size(file.path)} bytes instead of {file.size}")

    def complete(self, source: str, commit: str, files: Iterable[HubFile]) -> None:
        """Writes the record."""
        record = {
            "source": source,
            "commit": commit,
            "files": [vars(file) for file in sorted(files, key=lambda file: file.path)],
        }
        (self.path / RECORD).write_text(json.dumps(record, indent=1), "utf-8")

    def _size(self, path: str) -> int | None:
        try:
            return (self.path / path).stat().st_size
        except OSError:
            return None


def matches(path: Path, file: HubFile) -> bool:
    """Whether a file's content has the checksum that the hub names."""
    digest = hashlib.sha256()
    if len(file.checksum) != _SHA256_DIGITS:
        digest = hashlib.sha1(usedforsecurity=False)
        digest.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == file.checksum
