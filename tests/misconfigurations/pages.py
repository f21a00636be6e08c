"""Brings the generated part of docs/rules up to date: messages, cases and the index.

    python -m tests.misconfigurations.pages

A page is `docs/rules/<rule>.md`. What stands above its marker is written by hand: what the rule is
about and why it exists. Below it stand the message that the program gives, the cases of the corpus
with their sources, and how to silence a warning.
"""

import sys
from pathlib import Path

from models.problems import Severity
from tests.misconfigurations.corpus import Case, cases, outcome
from tests.misconfigurations.examples import examples
from tests.misconfigurations.rules import ROOT, rules

PAGES = ROOT / "docs" / "rules"
MARKER = "<!-- from here on made by `make rules` -->"
INDEX = "README.md"


def page(rule: str) -> Path:
    """The page of a rule."""
    return PAGES / f"{rule}.md"


def written_part(rule: str) -> str:
    """What people wrote on a rule's page."""
    return page(rule).read_text("utf-8").partition(MARKER)[0].rstrip()


def made_part(rule: str) -> str:
    """The message, the cases and the way to silence it."""
    of_rule = [case for case in (*cases(), *examples()) if case.rule == rule]
    severities = {case.verdict for case in of_rule}
    lines = [MARKER, ""]
    message = next((text for case in of_rule if (text := _message(case))), None)
    if message:
        lines += ["## Message", "", "```text", message, "```", ""]
    public = [case for case in of_rule if case.sources]
    if public:
        lines += ["## Seen", ""]
        lines += [line for case in public for line in _seen(case)]
        lines.append("")
    lines += ["## Silence", "", _silence(rule, severities), ""]
    lines.append(f"Made in [{rules()[rule]}](../../{rules()[rule]}).")
    return "\n".join(lines)


def index() -> str:
    """The list of all rules with the first sentence of each page."""
    lines = [
        "# Rules",
        "",
        "Every problem that a preview tells has the id of its rule. A stop ends the preview; a",
        "warning lets it pass and can be accepted for a stack: `ray-llm:accept: [<rule>]`.",
        "",
        "`make corpus` shows how the rules score against real misconfigurations.",
        "",
        "| rule | about |",
        "|---|---|",
    ]
    for rule in rules():
        about = written_part(rule).split("\n\n")[1].replace("\n", " ").replace("|", "\\|")
        lines.append(f"| [{rule}]({rule}.md) | {about} |")
    return "\n".join(lines) + "\n"


def _message(case: Case) -> str | None:
    sentences = [
        problem.sentence() for problem in outcome(case).problems if problem.rule == case.rule
    ]
    return sentences[0] if sentences else None


def _seen(case: Case) -> list[str]:
    links = ", ".join(
        f"<{source}>" if source.startswith("https://") else source for source in case.sources
    )
    path = f"../../tests/misconfigurations/{case.area}/{case.id}.yaml"
    return [f"- [{case.id}]({path}): {case.did} {case.happened} ({links})"]


def _silence(rule: str, severities: set[Severity]) -> str:
    if Severity.WARN not in severities:
        return "A stop cannot be silenced: change what it names."
    accept = f"`ray-llm:accept: [{rule}]` silences the warning for a stack."
    if rule.startswith("rollout-"):
        return "It is told once, for the change that is compared, and cannot be silenced."
    if rule == "accept-unused":
        return "Take the id out of the list."
    stop = " Where it stops, it cannot be silenced." if Severity.STOP in severities else ""
    return accept + stop


def main() -> int:
    """Rewrites the made part of every page and the index."""
    for rule in rules():
        page(rule).write_text(f"{written_part(rule)}\n\n{made_part(rule)}\n", "utf-8")
    (PAGES / INDEX).write_text(index(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
