"""Counts the lines per model in a stack file: lines of `ray-llm:models` divided by models.

Run: python -m benchmarks.config_lines [Pulumi.prod.yaml]
Comments and blank lines do not count. The guide that this project replaces needs 36 lines per
model (its ConfigMap entry and application) and 46 more for each GPU tier.
"""

import sys
from pathlib import Path

import yaml

SECTION = "ray-llm:models"


def model_lines(text: str) -> tuple[int, int]:
    """Lines and models of the section `ray-llm:models` of a stack file's text."""
    models = yaml.safe_load(text)["config"][SECTION]
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if line.strip() == f"{SECTION}:")
    indent = len(lines[start]) - len(lines[start].lstrip())
    count = 0
    for line in lines[start + 1 :]:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if len(line) - len(line.lstrip()) <= indent:
            break
        count += 1
    return count, len(models)


def main() -> None:
    """Print the lines per model of one stack file."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "Pulumi.prod.yaml")
    lines, models = model_lines(path.read_text(encoding="utf-8"))
    print(f"{path.name}: {models} models in {lines} lines, {lines / models:.1f} lines per model")


if __name__ == "__main__":
    main()
