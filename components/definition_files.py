"""The files with CustomResourceDefinitions (CRDs): what a URL or a path gives, if it fits."""

import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

import yaml

from models.problems import without_secrets

KIND: Final = "CustomResourceDefinition"
# The largest of KubeRay 1.6.2 has 1.4 MB. A page of a proxy's sign-in would end before, too.
_LARGEST_BYTES: Final = 32 * 2**20
_TIMEOUT_SECONDS: Final = 60
# The beginning of a CRD as controller-gen writes it. Anything else is parsed.
_GENERATED: Final = re.compile(
    rb"(---\n)?apiVersion: apiextensions\.k8s\.io/v1\nkind: CustomResourceDefinition\n"
    rb"metadata:\n(  [^\n]*\n)*?  name: (?P<name>[a-z.]+)\n(  [^\n]*\n)*spec:\n  "
)


class DefinitionError(Exception):
    """A CRD that cannot be read or applied; its text says why and how to go on, without secrets."""

    def __init__(self, text: str) -> None:
        super().__init__(without_secrets(text))


def check_definition(name: str, location: str, version: str) -> None:
    """Raise DefinitionError as `read_definition` does, but do not parse a CRD that looks right.

    To parse the four of KubeRay takes two seconds, as long as the rest of a preview.
    """
    text = _text(location, _way_out(version))
    found = _GENERATED.match(text)
    if found is None or found["name"].decode() != name or not text.endswith(b"\n"):
        _parsed(text, name, location, version)


def read_definition(name: str, location: str, version: str) -> dict[str, Any]:
    """The CRD `name` from a URL or a file.

    Raises DefinitionError if it cannot be read, or if it is something else.
    """
    return _parsed(_text(location, _way_out(version)), name, location, version)


def _way_out(version: str) -> str:
    return (
        "Check kubeRay.crdSource: it is the URL or the path of the folder with the CRDs of KubeRay "
        f"{version}"
    )


def _parsed(text: bytes, name: str, location: str, version: str) -> dict[str, Any]:
    way_out = _way_out(version)
    try:
        found = yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise DefinitionError(f"{location} holds no YAML. {way_out}.") from None
    kind = found.get("kind") if isinstance(found, dict) else None
    if kind != KIND:
        what = f"a {kind}" if isinstance(kind, str) else "something that is no Kubernetes object"
        raise DefinitionError(f"{location} holds {what} instead of the CRD {name}. {way_out}.")
    metadata = found.get("metadata")
    found_name = metadata.get("name") if isinstance(metadata, dict) else None
    if found_name != name or not isinstance(found.get("spec"), dict):
        raise DefinitionError(
            f"{location} holds the CRD {found_name} instead of {name}. {way_out}."
        )
    definition: dict[str, Any] = found
    return definition


def _text(location: str, way_out: str) -> bytes:
    try:
        if not location.lower().startswith(("https://", "http://")):
            location = str(Path(location).expanduser().absolute())
            return Path(location).read_bytes()
        with urllib.request.urlopen(location, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            text: bytes = answer.read(_LARGEST_BYTES + 1)
    except urllib.error.HTTPError as error:
        reason = f"answers {error.code} {error.reason}"
    except urllib.error.URLError as error:
        reason = f"cannot be reached: {error.reason}"
    except (OSError, http.client.HTTPException, ValueError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or " ".join(str(error).split())
        reason = f"cannot be read: {said or type(error).__name__}"
    else:
        if len(text) <= _LARGEST_BYTES:
            return text
        reason = f"is longer than {_LARGEST_BYTES // 2**20} MiB"
    raise DefinitionError(f"{location} {reason}. {way_out}.")
