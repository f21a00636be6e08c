"""Puts the prod stack's plan into the README, where a test compares it with the program's own.

Run: python -m scripts.readme_plan
"""

import re
from pathlib import Path

from models.reading import read_stack
from models.stack_file import read_stack_file
from planning.planner import make_plan
from planning.table import plan_table

CHECKOUT = Path(__file__).parent.parent
README = CHECKOUT / "README.md"
_BLOCK = re.compile(r"(<!-- plan:prod -->\n).*?(<!-- /plan:prod -->)", re.DOTALL)
_TOKEN_KEY = "ray-llm:huggingFaceToken"  # noqa: S105 - the name of a key


def prod_plan() -> str:
    """The plan of the shipped prod stack as a preview shows it, with a token given."""
    file = read_stack_file(CHECKOUT / "Pulumi.prod.yaml")
    values = {**file.values, _TOKEN_KEY: None}
    return plan_table(make_plan(read_stack("prod", values, frozenset({_TOKEN_KEY}), CHECKOUT)))


def refreshed(readme: str, plan: str) -> str:
    """The README's text with the plan in its place."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n```text\n{plan}\n```\n\n{match[2]}", readme)


def main() -> None:
    """Rewrite the README."""
    text = README.read_text(encoding="utf-8")
    README.write_text(refreshed(text, prod_plan()), encoding="utf-8")


if __name__ == "__main__":
    main()
