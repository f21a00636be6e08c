"""The one comment that a pull request keeps: verdict, rollout, what changes, plan and resources.

Its first line is a marker: a workflow finds the comment by it, and edits it in place.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from models.problems import stops
from reports.change_effects import ChangeEffects
from reports.difference import Difference
from reports.difference_markdown import difference_markdown
from reports.formatting import usd
from reports.plan_data import CostSummary, PlanSummary
from reports.plan_markdown import plan_markdown
from reports.pulumi_preview import EnginePreview, Step
from reports.table import code, escape

# GitHub refuses comments of more than 65,536 characters.
LIMIT: Final = 65_000
_MOST_LINES: Final = 50


@dataclass(frozen=True, kw_only=True)
class CommentContent:
    """What a comment is made of.

    new: the plan; None if something stops the stack, and `stops` then says what.
    changes: what differs from the plan before; None if there is none to compare with, and `no_old`
        then says why.
    effects: what that does, by the stack files; shown if no preview says it.
    commit: the commit that the plan is of; empty if it is not known.
    """

    stack: str
    new: PlanSummary | None
    stops: Sequence[str] = ()
    changes: Difference | None = None
    effects: ChangeEffects | None = None
    no_old: str = ""
    preview: EnginePreview | None = None
    commit: str = ""

    @property
    def is_stopped(self) -> bool:
        """Whether something stops the deployment of the stack."""
        return self.new is None or bool(self.preview and self.preview.errors)


def marker(stack: str) -> str:
    """The first line of a stack's comment; GitHub does not show it."""
    return f"<!-- ray-llm plan: {html.escape(stack)} -->"


def comment(content: CommentContent) -> str:
    """The whole comment, cut to the length that GitHub accepts."""
    parts = [marker(content.stack), *_verdict(content), *_rollout(content)]
    optional: list[str] = []
    if content.new is not None:
        if content.no_old:
            parts.append(f"Not compared: {escape(content.no_old)}")
        elif content.changes is not None:
            # The preview knows what is deployed. Where it says what happens, nobody else does.
            told = content.preview is not None and content.preview.is_explained
            changes = difference_markdown(content.changes, content.effects, with_effects=not told)
            parts.append(changes.strip())
        optional.append(_folded("The whole plan", plan_markdown(content.new)))
    if content.preview is not None and content.preview.steps:
        optional.insert(0, _folded(_summary(content.preview), _steps(content.preview)))
    foot = f"<sub>For commit {escape(content.commit)}.</sub>" if content.commit else ""
    text = _joined([*parts, *optional, foot])
    if len(text) > LIMIT and content.new is not None:
        brief = plan_markdown(content.new, brief=True)
        optional[-1] = _folded("The plan without memory and cost", brief)
        text = _joined([*parts, *optional, _CUT, foot])
    while len(text) > LIMIT and optional:
        optional.pop()
        text = _joined([*parts, *optional, _CUT, foot])
    if len(text) <= LIMIT:
        return text
    # At the end of a line, so that no mark or entity is left half.
    return f"{text[: text.rindex(chr(10), 0, LIMIT)]}\n\n{_CUT}\n"


_CUT: Final = (
    "<sub>Cut, because GitHub limits the length of a comment. `ray-llm plan` shows the whole "
    "plan.</sub>"
)


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(content: CommentContent) -> Iterable[str]:
    stack = code(content.stack)
    if content.new is None:
        count = len(content.stops)
        yield f"## ⛔ Stack {stack}: {count} {'problem' if count == 1 else 'problems'} to solve"
        yield "\n".join(f"- {escape(stop)}" for stop in content.stops)
        return
    if content.is_stopped:
        yield f"## ⛔ Stack {stack}: the engine's preview failed"
        yield "\n".join(f"- {escape(error)}" for error in _errors(content.preview))
        return
    total = content.new["cost"]["total"]
    if content.preview is None and content.effects and stops(content.effects.problems):
        yield f"## ⚠️ Stack {stack} can be deployed, but `pulumi preview` would stop this change"
    else:
        yield f"## ✅ Stack {stack} can be deployed"
    yield (
        f"{len(content.new['models'])} models for USD {usd(total['minimum'])} to "
        f"{usd(total['maximum'])} a month, typically {usd(total['typical'])}"
        f"{_by_way(content.new['cost'])}."
    )
    warnings = content.new["warnings"]
    if warnings:
        yield "\n".join(f"- ⚠️ {escape(warning)}" for warning in warnings)


def _by_way(cost: CostSummary) -> str:
    """Between what a typical month lies, by the ways in which nodes come; empty without several."""
    if "totalCheapest" not in cost or "totalDearest" not in cost:
        return ""
    low, high = cost["totalCheapest"]["typical"], cost["totalDearest"]["typical"]
    return f" (between {usd(low)} and {usd(high)}, by the ways in which nodes come)"


def _rollout(content: CommentContent) -> Iterable[str]:
    """What the preview's own messages say; never silence about what runs."""
    preview = content.preview
    if preview is None or content.new is None:
        return
    yield "### What this change does to what runs"
    told = [f"- {'⚠️ ' if item.warns else ''}{escape(item.text)}" for item in preview.explanations]
    if told:
        more = [f"- and {len(told) - _MOST_LINES} more"] if len(told) > _MOST_LINES else []
        yield "\n".join([*told[:_MOST_LINES], *more])
    if preview.service == "same" and not preview.steps:
        yield "Nothing that serves changes: the preview changes no resource."
    elif preview.service in _SERVICE_WORDS:
        yield _SERVICE_WORDS[preview.service]
    if not preview.is_explained:
        yield _NOT_WHOLE if told and preview.errors else _NOT_KNOWN


_SERVICE_WORDS: Final = {
    "create": "The service is new: nothing of it runs yet.",
    "same": "The RayService itself stays as it is.",
    "replace": "⚠️ The RayService is replaced: no model answers until the new one has loaded.",
    "delete": "⚠️ The RayService is deleted: no model answers any more.",
}
_NOT_WHOLE: Final = "⚠️ The preview failed, so that more may happen than it came to say."
_NOT_KNOWN: Final = (
    "⚠️ What happens to the models that run is not known: the preview does not say it. It is of an "
    "earlier version of this program, it is not whole, or it ended before."
)


def _errors(preview: EnginePreview | None) -> Sequence[str]:
    return preview.errors[:_MOST_LINES] if preview else ()


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text.strip()}\n\n</details>"


def _summary(preview: EnginePreview) -> str:
    counts = (
        f"{len(preview.of(operation))} to {operation}"
        for operation in ("create", "update", "replace", "delete", "import")
        if preview.of(operation)
    )
    return f"Resources: {', '.join(counts)}"


def _steps(preview: EnginePreview) -> str:
    """The resources; first those that are replaced or deleted."""
    lines = [
        _step(step)
        for operation in ("replace", "delete", "update", "create", "import")
        for step in preview.of(operation)
    ]
    more = [f"- and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return "\n".join([*lines[:_MOST_LINES], *more])


def _step(step: Step) -> str:
    forced = f", because of {escape(', '.join(step.forced_by))}" if step.forced_by else ""
    mark = f"**{step.operation}**" if step.operation in ("replace", "delete") else step.operation
    return f"- {mark} {code(step.name)} ({escape(step.type)}){forced}"
