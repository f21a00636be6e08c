"""Updates the generated parts of docs/rules: titles, messages, cases and the index.

    python -m tests.misconfigurations.pages

A page is `docs/rules/<rule>.md`. It starts with the rule's id and title from models/rules.py. The
part up to the marker says why the rule exists and is written by hand. Below the marker are the
program's message, the cases of the corpus with their sources, how to accept a warning, and the
files that make the problem.
"""

import sys
from pathlib import Path

from models.problems import Severity
from models.rules import RULES
from tests.misconfigurations.corpus import Case, cases, outcome
from tests.misconfigurations.examples import examples

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs" / "rules"
MARKER = "<!-- from here on made by `make rules` -->"
INDEX = "README.md"


def page(rule: str) -> Path:
    """The page of a rule."""
    return PAGES / f"{rule}.md"


def head(rule: str) -> str:
    """The heading of a rule's page: its id and title."""
    return f"# {rule}\n\n{RULES[rule].title}"


def written_part(rule: str) -> str:
    """The part of a rule's page that is written by hand: why the rule exists.

    Empty if there is no page. A new page may hold this part alone, or with its heading.
    """
    if not page(rule).exists():
        return ""
    text, made_before, _ = page(rule).read_text("utf-8").partition(MARKER)
    paragraphs = text.strip().split("\n\n")
    if made_before:
        paragraphs = paragraphs[2:]  # heading and title, which may be an earlier one
    else:
        made = (f"# {rule}", RULES[rule].title)
        paragraphs = [paragraph for paragraph in paragraphs if paragraph not in made]
    return "\n\n".join(paragraphs)


def made_part(rule: str) -> str:
    """The message, the cases, how to accept a warning, and the files that make the problem."""
    of_rule = [case for case in (*cases(), *examples()) if case.rule == rule]
    lines = [MARKER, ""]
    message = next((text for case in of_rule if (text := _message(case))), None)
    if message:
        lines += ["## Message", "", "```text", message, "```", ""]
    public = [case for case in of_rule if case.sources]
    if public:
        lines += ["## Seen", ""]
        lines += [line for case in public for line in _seen(case)]
        lines.append("")
    lines += ["## Accept", "", _accept(rule), ""]
    made_in = [f"[{path}](../../{path})" for path in RULES[rule].made_in]
    lines.append(f"Made in {', '.join(made_in)}.")
    return "\n".join(lines)


def index() -> str:
    """The list of all rules with their titles."""
    lines = [
        "# Rules",
        "",
        "Every problem belongs to a rule. A stop ends the preview. A warning lets it pass and ends",
        "with the id of its rule in brackets: `ray-llm:accept: [<rule>]` accepts it for a stack,",
        "and it is not shown any more. [models/rules.py](../../models/rules.py) lists the rules.",
        "",
        "`make corpus` shows how the rules score against real misconfigurations.",
        "",
        "| rule | about |",
        "|---|---|",
    ]
    for rule in RULES.values():
        title = rule.title.replace("|", "\\|")
        lines.append(f"| [{rule.id}]({rule.id}.md) | {title} |")
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


def _accept(rule: str) -> str:
    row = RULES[rule]
    if rule == "accept-unused":
        return "Take the id out of the list."
    if rule.startswith("rollout-"):
        return "The warning is shown once, for the change that is compared, and cannot be accepted."
    if row.guards:
        return (
            "It judges a change and not a stack. `ray-llm:rollout: {allow: <id>}`, with the id "
            "that ends the message, lets this one change pass with a warning."
        )
    if not row.acceptable:
        return "A stop cannot be accepted: change what it names."
    accept = f"`ray-llm:accept: [{rule}]` accepts the warning for a stack."
    stop = " A stop of this rule cannot be accepted." if Severity.STOP in row.severities else ""
    return accept + stop


def main() -> int:
    """Rewrites the generated parts of every page and the index."""
    for rule in RULES:
        page(rule).write_text(
            f"{head(rule)}\n\n{written_part(rule)}\n\n{made_part(rule)}\n", "utf-8"
        )
    (PAGES / INDEX).write_text(index(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
