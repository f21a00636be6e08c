"""The README shows the current output of the program."""

import re
from pathlib import Path

import pytest

from benchmarks.config_lines import model_lines
from models.catalog import DEFAULT_KUBERAY, DEFAULT_RAY
from models.reading import DEFAULT_POOLS, read_stack
from models.stack_file import parse_stack_file
from planning import make_plan
from reports.picture import plan_picture
from scripts.readme_plan import CHECKOUT, PICTURE, PLAN_PAGE, README, refreshed, shipped_plan

TEXT = README.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [README, PLAN_PAGE], ids=lambda page: page.name)
def test_stacks_plans_and_problems_in_the_docs_are_what_the_program_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<!-- plan:" in text
    assert refreshed(text) == text


def test_the_picture_beside_the_readme_is_the_prod_stacks() -> None:
    assert PICTURE.read_text(encoding="utf-8") == plan_picture(shipped_plan("prod"))


def test_the_stack_file_in_the_readme_can_be_deployed() -> None:
    section = TEXT.partition("## The stack file")[2]
    example = next(block for block in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL))
    file = parse_stack_file(example, CHECKOUT / "Pulumi.readme.yaml")
    token = "ray-llm:huggingFaceToken"
    plan = make_plan(read_stack("readme", {**file.values, token: None}, frozenset({token})))
    assert [model.name for model in plan.models][-1] == "llama-70b"


def test_the_readme_names_the_releases_and_pools_of_a_stack_that_names_none() -> None:
    assert f"| Ray {DEFAULT_RAY} with its image, KubeRay {DEFAULT_KUBERAY} |" in TEXT
    pools = f"{', '.join(DEFAULT_POOLS[:-1])} and {DEFAULT_POOLS[-1]}"
    assert f"the four tiers {pools}, if" in TEXT


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_a_shipped_model_costs_four_lines_at_most_on_average(stack: str) -> None:
    lines, models = model_lines((CHECKOUT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
    assert lines <= 4 * models


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z0-9-]+)", TEXT))))
def test_every_make_target_that_the_readme_names_exists(target: str) -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    assert re.search(
        rf"^{re.escape(target)}:|^\.PHONY:.*\b{re.escape(target)}\b", makefile, re.MULTILINE
    )
