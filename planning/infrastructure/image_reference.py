"""Whether a node can read the name of a container image at all.

The API server takes any text. The kubelet reads it by the grammar of
https://pkg.go.dev/github.com/distribution/reference and reports InvalidImageName, for as long as
the pod lives.
"""

import re
from collections.abc import Iterable
from typing import Final

from models.problems import Problem
from models.ways_out import meant, outside, use

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# Of the digests that Go's crypto packages register, in hexadecimal digits:
# https://github.com/opencontainers/go-digest/blob/master/algorithm.go
_DIGITS_OF_DIGEST: Final = {"sha256": 64, "sha384": 96, "sha512": 128}


def image_reference_problems(image: str, official: str, path: str) -> Iterable[Problem]:
    """The reason why no node can read the name of an image; `official` is one that each can."""
    if is_image_reference(image):
        return
    near = [text for text in dict.fromkeys(_repaired(image)) if is_image_reference(text)]
    yield Problem(
        path=path,
        value=image,
        reason=f"{_fault(image)}, so every pod would stay at InvalidImageName",
        remedy="Write registry/repository:tag or registry/repository@digest",
        rule="image-reference",
        candidates=(
            *(meant(path, text) for text in near),
            use(path, official, f"use {official}"),
            outside("copy the reference from the registry"),
        ),
    )


def is_image_reference(image: str) -> bool:
    """Whether a text names an image by the grammar of the distribution project."""
    # Loaded only for images of one's own, which few stacks have.
    from docker_image.digest import InvalidDigest
    from docker_image.reference import InvalidReference, Reference

    try:
        Reference.parse_normalized_named(image)
    except (InvalidDigest, InvalidReference):
        return False
    # A first part in upper case is read as a registry's host, which has a dot or a port.
    first, slash, _ = image.partition("/")
    upper_case = slash and first != first.lower() and not re.search(r"[.:]", first)
    return image.isprintable() and not upper_case


def _fault(image: str) -> str:
    """What is wrong, as the rest of a sentence that starts with the image."""
    if scheme := _SCHEME.match(image):
        return f"starts with {scheme[0]}, which no reference of an image has"
    if any(letter.isspace() for letter in image):
        return "has a blank in it"
    name, at, digest = image.partition("@")
    head, _, last = name.rpartition("/")
    repository, colon, tag = last.partition(":")
    if at:
        algorithm, _, digits = digest.partition(":")
        length = _DIGITS_OF_DIGEST.get(algorithm)
        if length is None:
            return f"has a digest that starts with none of {', '.join(_DIGITS_OF_DIGEST)}"
        if len(digits) != length:
            return f"has a digest of {len(digits)} digits, and one of {algorithm} has {length}"
        if re.fullmatch(r"[0-9a-f]*", digits) is None:
            return "has a digest with letters other than a to f in lower case"
    if colon and not tag:
        return "ends in a colon without a tag"
    if colon and not _TAG.fullmatch(tag):
        return f"has a tag, {tag[:40]}, that is not up to 128 letters, digits, '_', '.' and '-'"
    if is_image_reference(f"{head.lower()}/{repository.lower()}" if head else repository.lower()):
        return "has upper case in its repository, which no registry takes"
    return "is not a reference of an image"


def _repaired(image: str) -> Iterable[str]:
    """What may have been meant, the nearest first."""
    text = "".join(_SCHEME.sub("", image, count=1).split()).strip("/")
    name, _, digest = text.partition("@")
    head, slash, last = name.rpartition("/")
    repository, colon, tag = last.partition(":")
    tagged = f":{tag}" if colon and tag else ""
    for base in (f"{head}{slash}{repository}", f"{head}{slash}{repository}".lower()):
        if digest:
            whole = digest if ":" in digest else f"sha256:{digest}"
            yield f"{base}{tagged}@{whole}"
            yield f"{base}{tagged}@{whole.lower()}"
        if tagged:
            yield f"{base}{tagged}"
