"""Puts the prod stack's plan into the README and its picture beside it; a test compares both.

Run: python -m scripts.readme_plan
"""

import re
from pathlib import Path

from models.reading import read_stack
from models.stack_file import read_stack_file
from planning.picture import plan_picture
from planning.plan import Plan
from planning.planner import make_plan
from planning.table import plan_table

CHECKOUT = Path(__file__).parent.parent
README = CHECKOUT / "README.md"
PICTURE = CHECKOUT / "docs" / "prod-plan.svg"
_BLOCK = re.compile(r"(<!-- plan:prod -->\n).*?(<!-- /plan:prod -->)", re.DOTALL)
_TOKEN_KEY = "ray-llm:huggingFaceToken"  # noqa: S105 - the name of a key


def prod_plan() -> Plan:
    """The plan of the shipped prod stack, with a token given."""
    file = read_stack_file(CHECKOUT / "Pulumi.prod.yaml")
    values = {**file.values, _TOKEN_KEY: None}
    return make_plan(read_stack("prod", values, frozenset({_TOKEN_KEY}), CHECKOUT))


def refreshed(readme: str, plan: Plan) -> str:
    """The README's text with the plan in its place."""
    table = plan_table(plan)
    return _BLOCK.sub(lambda match: f"{match[1]}\n```text\n{table}\n```\n\n{match[2]}", readme)


def main() -> None:
    """Rewrite the README and the picture."""
    plan = prod_plan()
    README.write_text(refreshed(README.read_text(encoding="utf-8"), plan), encoding="utf-8")
    PICTURE.write_text(plan_picture(plan), encoding="utf-8")


if __name__ == "__main__":
    main()
