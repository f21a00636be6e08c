"""Drift as Markdown: for an issue that a schedule keeps up to date, and for people."""

from collections.abc import Iterator
from typing import Final

from reports.drift import Drift, Origin, ResourceDrift
from reports.table import Row, Table, code, escape, markdown_table

# GitHub refuses bodies of more than 65,536 characters.
LIMIT: Final = 65_000
_MOST_FIELDS: Final = 40
_MOST_RESOURCES: Final = 40
_MOST_ERRORS: Final = 20
# A path or name is shorter; what is longer is cut, so that one resource cannot fill the report.
_LONGEST: Final = 300
_LONGEST_ERROR: Final = 1_000


def drift_markdown(drift: Drift) -> str:
    """The report; its first line is a marker by which a workflow finds its issue.

    It stays below the length that GitHub accepts, and says how many resources it leaves out.
    """
    before, after = list(_before(drift)), list(_after(drift))
    resources = ["\n\n".join(_resource(item)) for item in drift.resources]
    shown = resources[:_MOST_RESOURCES]
    while True:
        left_out = len(resources) - len(shown)
        more = [f"and {left_out} more resources, which this report leaves out"] if left_out else []
        text = "\n\n".join([*before, *shown, *more, *after]) + "\n"
        if len(text) <= LIMIT or not shown:
            return text
        shown.pop()


def _before(drift: Drift) -> Iterator[str]:
    yield f"<!-- ray-llm drift: {drift.stack} -->"
    stack = f"Stack {code(drift.stack)}" if drift.stack else "The stack"
    if drift.resources:
        count = len(drift.resources)
        differs = "1 resource differs" if count == 1 else f"{count} resources differ"
        yield f"{stack}: {differs} from what the stack file wants."
    elif not drift.errors:
        yield f"{stack} is as its stack file wants it."


def _after(drift: Drift) -> Iterator[str]:
    if drift.errors:
        shown = [escape(_cut(error, _LONGEST_ERROR)) for error in drift.errors[:_MOST_ERRORS]]
        if more := len(drift.errors) - len(shown):
            shown.append(f"and {more} more")
        errors = "\n".join(f"- {error}" for error in shown)
        yield f"The comparison is not complete, because the preview failed:\n\n{errors}"
    if drift.resources:
        yield (
            f"`pulumi up --refresh` makes it so; its preview says what that does to each model. To "
            f"keep a value that was {Origin.CLOUD}, write it into the stack file first."
        )


def _resource(resource: ResourceDrift) -> Iterator[str]:
    heading = f"{code(_cut(resource.name))} ({escape(_cut(resource.type))})"
    if resource.missing:
        gone = resource.origin is Origin.CLOUD
        yield f"**{heading}**: {'was deleted' if gone else f'is {resource.origin}'}."
        return
    if resource.surplus:
        yield f"**{heading}**: the stack file has it no more."
        return
    if not resource.fields:
        yield f"**{heading}**: differs."
        return
    yield f"**{heading}**"
    rows = [
        Row((_cut(field.path), _cut(field.live), _cut(field.wanted), field.origin))
        for field in resource.fields[:_MOST_FIELDS]
    ]
    if more := len(resource.fields) - len(rows):
        rows.append(Row((f"and {more} more", "", "", "")))
    yield markdown_table(Table(("field", "live", "stack file", ""), frozenset(), tuple(rows)))


def _cut(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
