"""Versions as numbers, so that they can be compared: 0.9.2 is older than 0.10.0."""

import re

ReleaseNumber = tuple[int, int, int]


def release_number(version: str) -> ReleaseNumber:
    """The first three numbers of a version; missing ones are 0, and what follows is ignored."""
    major, minor, patch = ([int(part) for part in re.findall(r"\d+", version)] + [0, 0, 0])[:3]
    return major, minor, patch
