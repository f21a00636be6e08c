"""The JSON of `pulumi preview --json`, read once: whatever passes has the form that is used.

The engine writes it from `PreviewDigest` (pulumi/pulumi, pkg/display/json.go). Of its fields only
those are here that some report needs; others are left alone, whatever they hold.
"""

import json
import re
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from models.problems import without_secrets
from reports.json_values import unreadable
from reports.sources import SourceError

_LONGEST_LINE: Final = 300
# Stack names may hold nothing else; so one cannot leave the HTML comment that marks a report.
_URN: Final = re.compile(
    r"urn:pulumi:(?P<stack>[A-Za-z0-9_.-]+)::(?P<project>[^:]+)"
    r"::(?P<types>(?:[^:]|:(?!:))+)::(?P<name>.+)",
    re.DOTALL,
)
# How the engine and its command line begin what they say instead of a document.
_SAID: Final = ("error: ", "warning: ")
_KEYS: Final = {"steps", "diagnostics", "changeSummary"}
_WHOLE: Final = "Give the whole output of `pulumi preview --json`"


class Urn(NamedTuple):
    """The name of a resource. types: its own type behind those of its parents."""

    stack: str
    project: str
    types: str
    name: str

    @property
    def type(self) -> str:
        """The resource's own type."""
        return self.types.rsplit("$", 1)[-1]


def _urn(value: object) -> Urn:
    found = _URN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is no URN of a resource")
    return Urn(**found.groupdict())


def _urn_or_none(value: object) -> Urn | None:
    """Messages may belong to nothing, or to what is not in the stack."""
    return _urn(value) if isinstance(value, str) and _URN.fullmatch(value) else None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, alias_generator=to_camel)


class State(_Part):
    """A resource as it was read or is to be."""

    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None


class Step(_Part):
    """What the engine does with one resource; one resource may have several."""

    op: str
    urn: Annotated[Urn, BeforeValidator(_urn)]
    old_state: State | None = None
    new_state: State | None = None
    detailed_diff: dict[str, Any] | None = None
    diff_reasons: list[str] | None = None
    replace_reasons: list[str] | None = None


class Diagnostic(_Part):
    """What the engine or the program says."""

    message: str = ""
    severity: str = ""
    urn: Annotated[Urn | None, BeforeValidator(_urn_or_none)] = None


class PreviewDocument(_Part):
    """A preview. unreadable: why there is no document, if the preview printed none.

    config: the configuration of the stack; None if the engine shows none.
    change_summary: the number of resources by operation, `same` included.
    """

    steps: list[Step] | None = None
    diagnostics: list[Diagnostic] | None = None
    change_summary: dict[str, int] | None = None
    config: dict[str, Any] | None = None
    unreadable: str = ""


_FIELDS: Final = {
    field.alias
    for part in (State, Step, Diagnostic, PreviewDocument)
    for field in part.model_fields.values()
}


def preview_document(text: str, origin: str) -> PreviewDocument:
    """The document in what `pulumi preview --json` printed.

    A preview that failed early prints nothing, a message, or half a document; then `unreadable`
    says so. Raises SourceError if it is JSON of another form.
    """
    if not text.strip():
        return PreviewDocument(unreadable="pulumi preview printed nothing; see its log.")
    try:
        # The engine may write another line after the document.
        data, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except json.JSONDecodeError as error:
        return PreviewDocument(unreadable=_no_json(text.lstrip(), error))
    except RecursionError:
        raise SourceError(f"{origin}: is nested too deeply for a preview. {_WHOLE}.") from None
    except ValueError:  # Python's limit for the digits of a whole number
        raise SourceError(
            f"{origin}: holds a whole number with more digits than any that the engine writes. "
            f"{_WHOLE}."
        ) from None
    if wrong := unreadable(data):
        raise SourceError(f"{origin}: {wrong}. {_WHOLE}.")
    if not isinstance(data, dict) or not (data.keys() & _KEYS):
        raise SourceError(f"{origin}: is not the JSON of `pulumi preview --json`.")
    try:
        return PreviewDocument.model_validate({**data, "unreadable": ""})
    except ValidationError as error:
        raise SourceError(f"{origin}: {_sentence(error)} {_WHOLE}.") from None


def _no_json(text: str, error: json.JSONDecodeError) -> str:
    """Why a text is no document. Only what the engine says for people is repeated."""
    first = without_secrets(text.splitlines()[0].strip())
    if first.startswith(_SAID):
        return f"pulumi preview printed: {first[:_LONGEST_LINE]}"
    return (
        f"pulumi preview printed no whole JSON document (line {error.lineno}, column "
        f"{error.colno}: {error.msg}); see its log."
    )


_EXPECTED: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _sentence(error: ValidationError) -> str:
    """The first place that has another form: place and kind, never what it holds."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = "".join(map(_place, first["loc"])).lstrip(".")
    if first["type"] == "missing":
        return f"{place} is missing."
    if first["type"] in _EXPECTED:
        return f"{place} is {_kind(first['input'])} and has to be {_EXPECTED[first['type']]}."
    return f"{place} {first['msg'].removeprefix('Value error, ')}."


def _place(part: int | str) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    # Other keys are the document's, which may hold anything.
    return f".{part}" if part in _FIELDS else "[...]"


def _kind(value: object) -> str:
    kinds: dict[type, str] = {
        type(None): "null",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a mapping",
    }
    return kinds[type(value)]
