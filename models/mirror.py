"""A registry that holds copies of what is published elsewhere: `ray-llm:versions.mirror`."""

import re
from typing import Final

from models.invalid_value import InvalidValueError

# A host with a dot or a port, and at least one folder, as in europe-docker.pkg.dev/acme/mirror.
_FOLDER: Final = re.compile(
    r"[a-z0-9][a-z0-9-]*((\.[a-z0-9-]+)+(:[0-9]+)?|:[0-9]+)(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"
)
_SCHEME: Final = re.compile(r"(oci|https?|docker)://")


def mirror_folder(folder: str) -> str:
    """Return the folder without a slash at its end.

    Raises InvalidValueError if no registry can have it.
    """
    bare = _SCHEME.sub("", folder).rstrip("/")
    if _FOLDER.fullmatch(folder.rstrip("/")):
        return bare
    raise InvalidValueError(
        "is not a folder of a registry",
        "Write the registry's host and a folder, such as europe-docker.pkg.dev/acme/mirror",
        *((("", bare),) if bare != folder.rstrip("/") and _FOLDER.fullmatch(bare) else ()),
    )


def in_mirror(image: str, mirror: str | None) -> str:
    """The image in the mirror: its name without the registry that it is published in."""
    if mirror is None:
        return image
    first, slash, rest = image.partition("/")
    of_registry = bool(slash) and re.search(r"[.:]", first) is not None
    return f"{mirror}/{rest if of_registry else image}"
