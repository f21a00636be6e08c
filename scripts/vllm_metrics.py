"""Prints the metrics of vLLM's releases under the names that Ray exports.

    uv run python -m scripts.vllm_metrics --index URL

URL is a package index that answers with JSON (the simple API); the default is PIP_INDEX_URL.
Read from the source of each release in the catalogue, because an engine exports a metric only after
the first event that counts it. What it prints is kept in models/catalog/vllm_metrics.yaml.
"""

import argparse
import ast
import os
import sys
from collections.abc import Callable, Iterator
from typing import Final

import yaml

from models.catalog import ray_releases
from scripts.vllm_facts.release import open_release

_LOGGERS: Final = "vllm/v1/metrics/loggers.py"
_RAY: Final = "vllm/v1/metrics/ray_wrappers.py"
_OWN: Final = "vllm:"


def engine_metrics(read: Callable[[str], str | None]) -> dict[str, str]:
    """The type of each metric that the V1 engine of a release makes, by Ray's name of it.

    read: gives the text of a file of the release, or None.
    """
    loggers, wrappers = read(_LOGGERS), read(_RAY)
    if loggers is None or wrappers is None:
        sys.exit(f"the release has no {_LOGGERS} or no {_RAY}")
    # Before vLLM learnt to write them otherwise, Ray exported names with vLLM's own colon.
    prefix = "ray_vllm_" if "[^a-zA-Z0-9_]" in wrappers else "ray_vllm:"
    return {
        _exported(prefix + name.removeprefix(_OWN), kind): kind
        for name, kind in sorted(_made(ast.parse(loggers)))
    }


def _exported(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" and not name.endswith("_total") else name


def _made(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        kind = node.func.attr.lstrip("_").removesuffix("_cls")
        for keyword in node.keywords:
            name = keyword.value
            if (
                keyword.arg == "name"
                and isinstance(name, ast.Constant)
                and str(name.value).startswith(_OWN)
                and kind in ("gauge", "counter", "histogram")
            ):
                yield str(name.value), kind


def main() -> None:
    """Prints the metrics of each release that the catalogue's releases of Ray come with."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--index", default=os.environ.get("PIP_INDEX_URL"))
    index = parser.parse_args().index
    if not index:
        parser.error("name a package index with --index, or set PIP_INDEX_URL")
    versions = sorted({release.vllm for release in ray_releases().values()})
    found = {version: engine_metrics(open_release(index, version)) for version in versions}
    yaml.safe_dump({"vllm": found}, sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()
