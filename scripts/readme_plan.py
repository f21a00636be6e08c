"""Writes the plan and the messages of the prod stack into the README; a test compares them.

Run: python -m scripts.readme_plan
"""

import re
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

CHECKOUT = Path(__file__).parent.parent
README = CHECKOUT / "README.md"
PICTURE = CHECKOUT / "docs" / "prod-plan.svg"
_BLOCK = re.compile(r"(<!-- (plan|problems):prod -->\n).*?(<!-- /\2:prod -->)", re.DOTALL)
_MODELS_KEY = "ray-llm:models"
_TOKEN_KEY = f"{NAMESPACE}:{TOKEN_KEY}"


def prod_plan() -> Plan:
    """The plan of the shipped prod stack, with a token."""
    return _planned(_prod_values())


def prod_problems() -> str:
    """The messages of a preview of the prod stack with three mistakes in its models."""
    values = _prod_values()
    models = values[_MODELS_KEY]
    models[1] = {"model": models[1]["model"], "gpu": "l4", "contextLength": 65536}
    models[2]["replica"] = models[2].pop("replicas")
    models[5]["engine"] = {"max_num_seq": 32}
    try:
        _planned(values)
    except StackError as error:
        return str(error)
    raise AssertionError("the mistakes were not found")


def _prod_values() -> dict[str, Any]:
    file = read_stack_file(CHECKOUT / "Pulumi.prod.yaml")
    return {**file.values, _TOKEN_KEY: None}


def _planned(values: dict[str, Any]) -> Plan:
    return make_plan(read_stack("prod", values, frozenset({_TOKEN_KEY}), CHECKOUT))


def refreshed(readme: str) -> str:
    """The README's text with the plan and the problems in their places."""
    texts = {"plan": plan_text(plan_summary(prod_plan())), "problems": prod_problems()}
    return _BLOCK.sub(
        lambda match: f"{match[1]}\n```text\n{texts[match[2]]}\n```\n\n{match[3]}", readme
    )


def main() -> None:
    """Rewrite the README and the picture."""
    README.write_text(refreshed(README.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_text(plan_picture(prod_plan()), encoding="utf-8")


if __name__ == "__main__":
    main()
