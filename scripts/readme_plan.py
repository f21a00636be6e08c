"""Writes the program's output for the shipped stacks into the docs; a test compares them.

Run: python -m scripts.readme_plan
"""

from pathlib import Path
from typing import Any

from models.problems import StackError
from models.reading import NAMESPACE, read_stack
from models.stack_file import read_stack_file
from models.stack_keys import TOKEN_KEY
from planning import Plan, make_plan
from reports.picture import plan_picture
from reports.plan_data import plan_summary
from reports.plan_text import plan_text
from scripts import doc_blocks

CHECKOUT = Path(__file__).parent.parent
README = CHECKOUT / "README.md"
PLAN_PAGE = CHECKOUT / "docs" / "plan.md"
PICTURE = CHECKOUT / "docs" / "prod-plan.svg"
_MODELS_KEY = "ray-llm:models"
_TOKEN_KEY = f"{NAMESPACE}:{TOKEN_KEY}"


def shipped_plan(stack: str) -> Plan:
    """The plan of a shipped stack, to which a token is added."""
    return _planned(stack, _values(stack))


def prod_problems() -> str:
    """The messages of a preview of the prod stack with three mistakes in its models."""
    values = _values("prod")
    models = values[_MODELS_KEY]
    models[1] = {"model": models[1]["model"], "gpu": "l4", "contextLength": 65536}
    models[2]["replica"] = models[2].pop("replicas")
    models[5]["engine"] = {"max_num_seq": 32}
    try:
        _planned("prod", values)
    except StackError as error:
        return str(error)
    raise AssertionError("the program did not find the mistakes")


def _values(stack: str) -> dict[str, Any]:
    return {**read_stack_file(_stack_path(stack)).values, _TOKEN_KEY: None}


def _stack_path(stack: str) -> Path:
    return CHECKOUT / f"Pulumi.{stack}.yaml"


def _planned(stack: str, values: dict[str, Any]) -> Plan:
    return make_plan(read_stack(stack, values, frozenset({_TOKEN_KEY}), CHECKOUT))


def _block(name: str) -> str:
    """The Markdown of a block: a stack file, its plan, or the problems of one."""
    kind, _, stack = name.partition(":")
    if kind == "stack":
        return f"```yaml\n{_stack_path(stack).read_text(encoding='utf-8')}```"
    text = prod_problems() if kind == "problems" else plan_text(plan_summary(shipped_plan(stack)))
    return f"```text\n{text}\n```"


def refreshed(page: str) -> str:
    """A page's text with up-to-date blocks."""
    return doc_blocks.refreshed(page, _block)


def main() -> None:
    """Rewrite the pages and the picture."""
    for page in (README, PLAN_PAGE):
        doc_blocks.refresh(page, _block)
    PICTURE.write_text(plan_picture(shipped_plan("prod")), encoding="utf-8")


if __name__ == "__main__":
    main()
