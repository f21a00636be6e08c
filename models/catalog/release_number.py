"""Versions as numbers, so that they can be compared: 0.9.2 is older than 0.10.0."""

import re
from collections.abc import Iterable
from typing import Final

ReleaseNumber = tuple[int, int, int]
_SHORT: Final = re.compile(r"v?(\d{1,9}\.\d{1,9})")


def release_number(version: str) -> ReleaseNumber:
    """The first three numbers of a version; missing ones are 0, and what follows is ignored."""
    major, minor, patch = ([int(part) for part in re.findall(r"\d+", version)] + [0, 0, 0])[:3]
    return major, minor, patch


def releases_meant(written: float | str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the releases that a version of two parts may mean, oldest first: 2.60.0 for 2.6.

    YAML reads 2.60 as a number, which has no zero at its end.
    """
    if isinstance(written, str):
        short = _SHORT.fullmatch(written.strip())
        if short is None:
            return ()
        same = tuple(version for version in known if version.startswith(f"{short[1]}."))
        if same:
            return same
        written = float(short[1])
    return tuple(
        version for version in known if float("{}.{}".format(*release_number(version))) == written
    )
