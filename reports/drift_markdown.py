"""Drift as Markdown: for an issue that a schedule keeps up to date, and for people."""

from collections.abc import Iterator
from typing import Final

from reports.drift import Drift, Origin, ResourceDrift
from reports.table import Row, Table, escape, markdown_table

# GitHub refuses bodies of more than 65,536 characters.
_MOST_FIELDS: Final = 40
_MOST_RESOURCES: Final = 40


def drift_markdown(drift: Drift) -> str:
    """The report; its first line is a marker by which a workflow finds its issue."""
    return "\n\n".join(_parts(drift)) + "\n"


def _parts(drift: Drift) -> Iterator[str]:
    yield f"<!-- ray-llm drift: {drift.stack} -->"
    stack = f"Stack `{escape(drift.stack)}`" if drift.stack else "The stack"
    if drift.resources:
        count = len(drift.resources)
        differs = "1 resource differs" if count == 1 else f"{count} resources differ"
        yield f"{stack}: {differs} from what the stack file wants."
    elif not drift.errors:
        yield f"{stack} is as its stack file wants it."
    for resource in drift.resources[:_MOST_RESOURCES]:
        yield from _resource(resource)
    if more := drift.resources[_MOST_RESOURCES:]:
        yield f"and {len(more)} more"
    if drift.errors:
        errors = "\n".join(f"- {escape(error)}" for error in drift.errors)
        yield f"The comparison is not complete, because the preview failed:\n\n{errors}"
    if drift.resources:
        yield (
            f"`pulumi up --refresh` makes it so; its preview says what that does to each model. To "
            f"keep a value that was {Origin.CLOUD}, write it into the stack file first."
        )


def _resource(resource: ResourceDrift) -> Iterator[str]:
    heading = f"`{escape(resource.name)}` ({escape(resource.type)})"
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
        Row((field.path, field.live, field.wanted, field.origin))
        for field in resource.fields[:_MOST_FIELDS]
    ]
    if more := len(resource.fields) - len(rows):
        rows.append(Row((f"and {more} more", "", "", "")))
    yield markdown_table(Table(("field", "live", "stack file", ""), frozenset(), tuple(rows)))
