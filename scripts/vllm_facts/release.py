"""Opens a vLLM release in a package index and reads single files of it.

The source distribution is read in memory. If a release has none, only the requested
files are fetched from its wheel of half a gigabyte, by HTTP ranges.
"""

import io
import json
import os
import sys
import tarfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

LARGEST_RESPONSE = 200_000_000


class RemoteFile(io.RawIOBase):
    """A remote file, read by HTTP ranges, so that zipfile fetches only the members it reads."""

    def __init__(self, url: str, size: int) -> None:
        self._url, self._size, self._position = url, size, 0

    def seekable(self) -> bool:
        """Return True: a range may start anywhere."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the position on and return the number of bytes."""
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


def python_files(sdist: bytes) -> dict[str, str]:
    """Return the Python files of a source distribution by their path inside it."""
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        streams = (
            (member.name.partition("/")[2], archive.extractfile(member))
            for member in archive
            if member.isfile() and member.name.endswith(".py")
        )
        return {path: stream.read().decode() for path, stream in streams if stream is not None}


def source_files(index: str, project: str, version: str) -> dict[str, str]:
    """Return the Python files of a release's source distribution by their path inside it."""
    home = urllib.parse.urljoin(index.rstrip("/") + "/", f"{project}/")
    listing = json.loads(fetch(home, {"Accept": "application/vnd.pypi.simple.v1+json"}))
    files = {entry["filename"]: entry for entry in listing["files"]}
    name = f"{project}-{version}.tar.gz"
    if name not in files:
        sys.exit(f"the index has no source distribution of {project} {version}")
    return python_files(fetch(urllib.parse.urljoin(home, files[name]["url"]), {}))


def open_release(index: str, version: str) -> Callable[[str], str | None]:
    """Return a function that maps a path like `vllm/config.py` to its text, or None."""
    project = urllib.parse.urljoin(index.rstrip("/") + "/", "vllm/")
    listing = json.loads(fetch(project, {"Accept": "application/vnd.pypi.simple.v1+json"}))
    files = {entry["filename"]: entry for entry in listing["files"]}
    name = f"vllm-{version}.tar.gz"
    if name in files:
        data = fetch(urllib.parse.urljoin(project, files[name]["url"]), {})
        return python_files(data).get
    wheels = [n for n in files if n.startswith(f"vllm-{version}-") and n.endswith("x86_64.whl")]
    if not wheels:
        sys.exit(f"the index has neither a source distribution nor a wheel of vLLM {version}")
    entry = files[wheels[0]]
    remote = RemoteFile(urllib.parse.urljoin(project, entry["url"]), entry["size"])
    wheel = zipfile.ZipFile(io.BufferedReader(remote, 1 << 20))
    names = set(wheel.namelist())
    return lambda path: wheel.read(path).decode() if path in names else None
