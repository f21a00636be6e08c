"""What a `pulumi preview --json` says: which resources change, what that does, what went wrong.

Only names, operations, the keys that force a replacement and what this program's hooks say are read
from it: the rest is every input of every resource, which does not belong in a comment.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models.problems import without_secrets
from models.reading import NAMESPACE
from reports import preview_document as document
from reports.preview_document import PreviewDocument, preview_document
from reports.sources import SourceError

# What is shown of the engine's operations. `delete-replaced` is a part of a replacement, `refresh`
# only reads, and the engine has operations that change the state alone.
_CHANGES: Final = {
    "create": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "delete": "delete",
    "import": "import",
}
_SAME: Final = "same"
# A resource may have several steps; the last of these that it has is what happens to it.
_WORST_LAST: Final = (_SAME, "import", "create", "update", "replace", "delete")

_SERVICE: Final = "kubernetes:ray.io/v1:RayService"
# What hooks say at previews of a change has the URN of such a component
# (components/preview_messages.py).
_COMPONENT: Final = "ray-llm:index:"
_OF_GOOGLE: Final = ("gcp:container/nodePool:NodePool", "gcp:container/cluster:Cluster")
# Components only group resources, and a Stash is only in the state.
NOT_SHOWN: Final = ("ray-llm:", "pulumi:pulumi:", "pulumi:providers:", "pulumi:index:Stash")

_ENDED: Final = re.compile(r"an unhandled error occurred: Program exited with non-zero exit code")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One resource that changes. forced_by: the keys whose change replaces it."""

    operation: str
    type: str
    name: str
    forced_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a hook of this program says of the change; `warns` if people should look twice."""

    text: str
    warns: bool


@dataclass(frozen=True, kw_only=True)
class EnginePreview:
    """The preview of one stack.

    errors: the messages of the engine or the program.
    explanations: what the change does to what runs, in the order of the preview.
    service: what happens to the RayService, `same` included; None if that is not known.
    """

    steps: tuple[Step, ...]
    errors: tuple[str, ...]
    explanations: tuple[Explanation, ...] = ()
    service: str | None = None

    def of(self, operation: str) -> tuple[Step, ...]:
        """The steps of one operation, without components, which only group resources."""
        return tuple(step for step in self.steps if step.operation == operation)

    @property
    def is_explained(self) -> bool:
        """Whether what happens to the models that run is known from it."""
        if self.service is None or self.errors:
            return False
        gone = any(step.type in _OF_GOOGLE for op in ("replace", "delete") for step in self.of(op))
        silent = self.service == _SAME and not gone
        return bool(self.explanations) or silent or self.service in {"create", "replace", "delete"}


def engine_preview(text: str, origin: str, stack: str = "") -> EnginePreview:
    """The preview in the JSON that the engine printed.

    A preview that failed early may print nothing, or a message instead of JSON; both are errors
    of the preview. stack: the stack that it is to be of, if that is known.
    Raises SourceError if the JSON is of something else: another stack or another program.
    """
    return preview_of_document(preview_document(text, origin), origin, stack)


def preview_of_document(found: PreviewDocument, origin: str, stack: str = "") -> EnginePreview:
    """The preview in a document that was read; otherwise as `engine_preview`."""
    if found.unreadable:
        return EnginePreview(steps=(), errors=(found.unreadable,))
    errors = [
        _without_traceback(without_secrets(diagnostic.message))
        for diagnostic in found.diagnostics or ()
        if diagnostic.severity == "error"
    ]
    _refuse_another(found, origin, stack, failed=bool(errors))
    operations = _operations(found.steps or ())
    # The engine adds that the program has ended; alone it is still better than nothing.
    causes = [error for error in errors if error and not _ENDED.search(error)]
    return EnginePreview(
        steps=tuple(_steps(found.steps or (), operations)),
        errors=tuple(dict.fromkeys(causes or errors)),
        explanations=tuple(dict.fromkeys(_explanations(found.diagnostics or ()))),
        service=_of_service(found, operations, failed=bool(errors)),
    )


def _explanations(diagnostics: Iterable[document.Diagnostic]) -> Iterator[Explanation]:
    for diagnostic in diagnostics:
        if diagnostic.severity not in {"info", "info#err", "warning"}:
            continue
        if diagnostic.urn is None or not diagnostic.urn.type.startswith(_COMPONENT):
            continue
        text = without_secrets(diagnostic.message).removeprefix("warning: ").strip()
        if text:
            yield Explanation(text=text, warns=diagnostic.severity == "warning")


def _operations(steps: Iterable[document.Step]) -> Mapping[document.Urn, str]:
    """What happens to each resource: the worst of its steps. Those that only read do not count."""
    found: dict[document.Urn, str] = {}
    for step in steps:
        operation = step.op if step.op == _SAME else _CHANGES.get(step.op)
        if operation:
            found[step.urn] = _worst([operation, found.get(step.urn, operation)])
    return found


def _worst(operations: Iterable[str]) -> str:
    return max(operations, key=_WORST_LAST.index)


def _of_service(
    found: PreviewDocument, operations: Mapping[document.Urn, str], *, failed: bool
) -> str | None:
    """What happens to the RayService; None if that is not known."""
    of_services = [operation for urn, operation in operations.items() if urn.type == _SERVICE]
    if {"create", "delete"} <= set(of_services):
        return "replace"
    if of_services:
        return _worst(of_services)
    if failed:
        return None
    # Without `--show-sames` the engine counts what stays as it is, and shows nothing of it but the
    # stack. What it shows must be all that it counts, or the document is not whole.
    counted = Counter(found.change_summary or {})
    shown = Counter(_CHANGES.get(step.op, step.op) for step in found.steps or ())
    leaves_out = counted[_SAME] > shown[_SAME]
    whole = all(
        shown[operation] >= number for operation, number in counted.items() if operation != _SAME
    )
    return _SAME if leaves_out and whole and _is_ours(found) else None


def _is_ours(found: PreviewDocument) -> bool:
    """Whether a preview is of a program with our components, or with our settings.

    A preview without a change shows no component.
    """
    return any(
        part.startswith(_COMPONENT)
        for step in found.steps or ()
        for part in step.urn.types.split("$")
    ) or any(key.startswith(f"{NAMESPACE}:") for key in found.config or ())


def _refuse_another(found: PreviewDocument, origin: str, stack: str, *, failed: bool) -> None:
    """Raises SourceError for resources of another stack, or of a program that is not ours."""
    stacks = {step.urn.stack for step in found.steps or ()}
    if others := sorted(stacks - {stack} if stack else ()):
        raise SourceError(f"{origin}: is the preview of stack {others[0]}, not of {stack}.")
    # A preview that failed may not have come to them.
    if (stacks or found.config) and not failed and not _is_ours(found):
        raise SourceError(
            f"{origin}: is the preview of another program: it has neither a component of ray-llm "
            f"nor a setting {NAMESPACE}:... in its configuration."
        )


def _without_traceback(message: str) -> str:
    """The message without Python's frames, which name files of the machine that ran it.

    What stands before the traceback stays; the exception at its end only if that does not say it.
    """
    before, mark, frames = message.partition("Traceback (most recent call last):")
    if not mark:
        return message.strip()
    lines = frames.splitlines()
    last = max((i for i, line in enumerate(lines) if line.startswith((" ", "\t"))), default=-1)
    exception = "\n".join(lines[last + 1 :]).strip()
    text = exception.partition(": ")[2] or exception
    return before.strip() if text and text in before else f"{before.strip()}\n{exception}".strip()


def _steps(
    steps: Sequence[document.Step], operations: Mapping[document.Urn, str]
) -> Iterator[Step]:
    """The resources that change, each once, in the order of the preview."""
    forced_by: dict[document.Urn, list[str]] = {}
    for step in steps:
        forced_by.setdefault(step.urn, []).extend(step.replace_reasons or ())
    for urn, operation in operations.items():
        if operation != _SAME and not urn.type.startswith(NOT_SHOWN):
            keys = tuple(dict.fromkeys(forced_by[urn]))
            yield Step(operation=operation, type=urn.type, name=urn.name, forced_by=keys)
