"""The diagnosis of a service for people and for programs."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from diagnosis import Finding, Gravity, Part, Snapshot
from models.stack_lines import line_of
from planning import Plan
from reports.durations import age
from reports.table import WIDTH

# Without these nobody knows whether a service is well.
_ESSENTIAL: Final = frozenset({Part.RAY_SERVICE, Part.PODS, Part.SERVE})
_INDENT: Final = 7


@dataclass(frozen=True, kw_only=True)
class Report:
    """A diagnosis. file, text: the stack file; context: of the kubeconfig."""

    plan: Plan
    context: str
    file: Path
    text: str
    findings: tuple[Finding, ...]
    snapshot: Snapshot

    @property
    def is_wrong(self) -> bool:
        """Whether something is wrong."""
        return any(finding.gravity is Gravity.WRONG for finding in self.findings)

    @property
    def is_known(self) -> bool:
        """Whether enough was seen to say that nothing is wrong."""
        return all(self.snapshot.saw(part) for part in _ESSENTIAL)

    def place(self, finding: Finding) -> str:
        """Where in the stack file a finding is mended, `Pulumi.prod.yaml:12`; empty if nowhere."""
        if not finding.mend.path:
            return ""
        line = line_of(self.text, finding.mend.path)
        return f"{self.file.name}:{line}" if line else self.file.name


def doctor_text(report: Report) -> str:
    """The diagnosis on lines of limited width."""
    return "\n".join(
        [
            _heading(report),
            *(line for finding in report.findings for line in _finding(report, finding)),
            *_unseen(report),
        ]
    )


def _heading(report: Report) -> str:
    service = report.plan.service
    wrong = sum(finding.gravity is Gravity.WRONG for finding in report.findings)
    notes = len(report.findings) - wrong
    if wrong:
        verdict = f"{wrong} {'things are' if wrong > 1 else 'thing is'} wrong"
    elif report.is_known:
        verdict = "it is well"
    else:
        verdict = "not enough could be seen to say that it is well"
    if notes:
        verdict += f", {notes} {'notes' if notes > 1 else 'note'}"
    return "\n".join(
        wrap(
            f"{report.plan.stack}: {service.namespace}/{service.name} in context "
            f"{report.context}: {verdict}",
            WIDTH,
        )
    )


def _finding(report: Report, finding: Finding) -> list[str]:
    is_wrong = finding.gravity is Gravity.WRONG
    since = ""
    if finding.since is not None:
        seconds = (report.snapshot.now - finding.since).total_seconds()
        since = f" (for {age(seconds)}, since {finding.since:%Y-%m-%d %H:%M:%S} UTC)"
    mend = finding.mend
    place = report.place(finding)
    lines = ["", *_part("WRONG" if is_wrong else "note", f"{finding.subject}: {finding.what}")]
    lines += _part("", f"[{finding.rule}]{since}")
    lines += _part("why", finding.why)
    lines += _part("mend", f"{place} {mend.path}: {mend.text}" if place else mend.text)
    if mend.command:
        # Not folded: it is copied.
        lines.append(f"{'':<{_INDENT}}$ {mend.command}")
    return lines


def _part(title: str, text: str) -> list[str]:
    lines = wrap(text, WIDTH - _INDENT, break_on_hyphens=False, break_long_words=False) or [""]
    heads = [title, *[""] * (len(lines) - 1)]
    return [f"{head:<{_INDENT}}{line}" for head, line in zip(heads, lines, strict=True)]


def _unseen(report: Report) -> list[str]:
    lines = []
    for item in report.snapshot.unseen:
        lines += _part("unseen", f"{item.part}: {item.why}")
    return ["", *lines] if lines else []


def doctor_data(report: Report) -> dict[str, Any]:
    """The diagnosis for programs. well: null if that is not known."""
    service = report.plan.service
    return {
        "stack": report.plan.stack,
        "context": report.context,
        "namespace": service.namespace,
        "service": service.name,
        "at": report.snapshot.now.isoformat(timespec="seconds"),
        "well": False if report.is_wrong else (True if report.is_known else None),
        "findings": [
            {
                "rule": finding.rule,
                "gravity": finding.gravity.value,
                "subject": finding.subject,
                "what": finding.what,
                "since": finding.since.isoformat(timespec="seconds") if finding.since else None,
                "why": finding.why,
                "mend": {
                    "text": finding.mend.text,
                    "path": finding.mend.path or None,
                    "place": report.place(finding) or None,
                    "command": finding.mend.command or None,
                },
            }
            for finding in report.findings
        ],
        "unseen": [{"part": item.part.value, "why": item.why} for item in report.snapshot.unseen],
    }
