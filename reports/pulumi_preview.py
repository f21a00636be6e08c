"""The output of `pulumi preview --json`: which resources change, what that does, what went wrong.

Only names, operations, the keys that force a replacement and what this program's hooks say are read
from it: the rest is every input of every resource, which does not belong in a comment.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.problems import without_secrets
from reports.sources import SourceError

_CHANGES: Final = {
    "create": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "",
    "delete": "delete",
    "import": "import",
}

# The components whose hooks say at previews what a change does (components/preview_messages.py).
_EXPLAINING: Final = frozenset(
    {
        "ray-llm:index:GkeCluster",
        "ray-llm:index:GpuNodePools",
        "ray-llm:index:RayLlmService",
    }
)
_SERVICE: Final = "kubernetes:ray.io/v1:RayService"
_SAME: Final = "same"
_COMPONENT: Final = ":ray-llm:index:"

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
    service: what happens to the RayService, `same` included; None if the preview has none.
    """

    steps: tuple[Step, ...]
    errors: tuple[str, ...]
    explanations: tuple[Explanation, ...] = ()
    service: str | None = None

    def of(self, operation: str) -> tuple[Step, ...]:
        """The steps of one operation, without components, which only group resources."""
        return tuple(step for step in self.steps if step.operation == operation)


def engine_preview(text: str, origin: str, stack: str = "") -> EnginePreview:
    """The preview in the JSON that the engine printed.

    A preview that failed early may print nothing, or a message instead of JSON; both are errors
    of the preview. stack: the stack that it is to be of, if that is known.
    Raises SourceError if the JSON is of something else: another stack or another program.
    """
    if not text.strip():
        return EnginePreview(steps=(), errors=("pulumi preview printed nothing; see its log.",))
    try:
        # The engine may write another line after the document.
        data, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (json.JSONDecodeError, RecursionError):
        first = without_secrets(text.strip().splitlines()[0])[:300]
        return EnginePreview(steps=(), errors=(f"pulumi preview printed: {first}",))
    if not isinstance(data, dict) or not ({"steps", "diagnostics", "changeSummary"} & data.keys()):
        raise SourceError(f"{origin}: is not the JSON of `pulumi preview --json`.")
    services = [
        _CHANGES.get(str(step.get("op")), _SAME)
        for step in data.get("steps") or []
        if isinstance(step, dict) and _type(step) == _SERVICE
    ]
    explanations = [
        Explanation(
            text=without_secrets(str(diagnostic.get("message", "")))
            .removeprefix("warning: ")
            .strip(),
            warns=diagnostic["severity"] == "warning",
        )
        for diagnostic in data.get("diagnostics") or []
        if isinstance(diagnostic, dict)
        and diagnostic.get("severity") in {"info", "info#err", "warning"}
        and _type(diagnostic) in _EXPLAINING
    ]
    steps = [_step(step) for step in data.get("steps") or [] if isinstance(step, dict)]
    errors = [
        _without_traceback(without_secrets(str(diagnostic.get("message", ""))))
        for diagnostic in data.get("diagnostics") or []
        if isinstance(diagnostic, dict) and diagnostic.get("severity") == "error"
    ]
    urns = [str(step.get("urn", "")) for step in data.get("steps") or [] if isinstance(step, dict)]
    _refuse_another(urns, origin, stack, failed=bool(errors))
    # The engine adds that the program has ended; alone it is still better than nothing.
    causes = [error for error in errors if error and not _ENDED.search(error)]
    return EnginePreview(
        steps=tuple(dict.fromkeys(step for step in steps if step is not None)),
        errors=tuple(dict.fromkeys(causes or errors)),
        explanations=tuple(dict.fromkeys(item for item in explanations if item.text)),
        # A replacement has several steps.
        service=next((operation for operation in services if operation), None),
    )


def _type(item: dict[str, Any]) -> str:
    """The type of the resource to which a step or a message belongs; empty without one."""
    parts = str(item.get("urn", "")).split("::")
    return parts[2].rsplit("$", 1)[-1] if len(parts) > 3 else ""


def _refuse_another(urns: Sequence[str], origin: str, stack: str, *, failed: bool) -> None:
    """Raises SourceError for resources of another stack, or of a program without our components."""
    stacks = {urn.split("::")[0].rpartition(":")[2] for urn in urns if "::" in urn}
    if others := sorted(stacks - {stack} if stack else ()):
        raise SourceError(f"{origin}: is the preview of stack {others[0]}, not of {stack}.")
    # A preview that failed may not have come to them.
    if stacks and not failed and not any(_COMPONENT in urn for urn in urns):
        raise SourceError(f"{origin}: is the preview of another program.")


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


def _step(step: dict[str, Any]) -> Step | None:
    operation = _CHANGES.get(str(step.get("op")), "")
    urn = str(step.get("urn", "")).split("::")
    if not operation or len(urn) < 4:
        return None
    type_ = urn[2].rsplit("$", 1)[-1]
    # Components only group resources, and a Stash is only in the state.
    if type_.startswith(("ray-llm:", "pulumi:pulumi:", "pulumi:providers:", "pulumi:index:Stash")):
        return None
    forced_by = step.get("replaceReasons") or []
    return Step(
        operation=operation,
        type=type_,
        name="::".join(urn[3:]),
        forced_by=tuple(str(key) for key in forced_by if isinstance(key, str)),
    )
