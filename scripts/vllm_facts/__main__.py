"""Writes models/catalog/vllm/<version>.yaml: what a vLLM release accepts, read from its source.

    uv run python -m scripts.vllm_facts --index URL [VERSION ...]
    uv run python -m scripts.vllm_facts --index URL --transformers VERSION [VERSION ...]

URL is a package index that answers with JSON (the simple API); the default is PIP_INDEX_URL.
Without versions, the files of all releases in the release table are written. vLLM is parsed,
never imported. The second form writes models/catalog/transformers_architectures.yaml.
"""

import argparse
import json
import os
from pathlib import Path

from models.catalog import vllm_versions
from scripts.vllm_facts.adapters import lora_architectures
from scripts.vllm_facts.bounds import argument_bounds
from scripts.vllm_facts.closed_values import closed_values
from scripts.vllm_facts.configurations import nested_fields
from scripts.vllm_facts.facts import (
    architectures,
    architectures_of_one_window,
    arguments,
    engine_arguments,
    float16_refused,
    front_end_fields,
    mtp_targets,
    multimodal_architectures,
    quantization_methods,
    read_by_ray,
)
from scripts.vllm_facts.quantization import (
    compressed_tensors_schemes,
    modelopt_algorithms,
    modelopt_file_algorithms,
    own_files,
    quantize_while_loading,
    takeovers,
    weight_limits,
)
from scripts.vllm_facts.release import open_release, source_files
from scripts.vllm_facts.rope import older_rope_types, own_rope_parameters, rope_scaling_fields
from scripts.vllm_facts.source import Source
from scripts.vllm_facts.transformers import backend_architectures

DESCRIPTION = "Read what vLLM releases accept, without running them."
ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / "models" / "catalog" / "vllm"


def write(version: str, source: Source) -> Path:
    """Write the facts of one release and return the file."""
    front_end = front_end_fields(source)
    serving = read_by_ray(source)
    bounds = argument_bounds(source)
    lines = [
        f"# vLLM {version}, read from its source by scripts/vllm_facts. Do not edit.",
        "# engine_arguments: types, then the only values, which some read in any case.",
        "# quantization_methods: least compute capability (75 is 7.5) and activation dtypes, null",
        "# where code decides.",
        "# Of vLLM's front end Ray runs what takes serving_arguments; the rest has no effect.",
        "# closed_values: the only texts that a registry or nested configuration takes.",
        "# bounds: limits of engine arguments, as pydantic names them.",
        "engine_arguments:",
        *(f"  {name}: {text}" for name, text in engine_arguments(source).items()),
        "serving_arguments:",
        *(
            f"  {name}: {text}"
            for name, text in arguments(
                source, {name: row for name, row in front_end.items() if name in serving}
            ).items()
        ),
        "front_end_arguments:",
        *(f"- {name}" for name in sorted(set(front_end) - serving)),
        "closed_values:",
        *(f"  {path}: [{', '.join(values)}]" for path, values in closed_values(source).items()),
        "# What fields of the configurations in engine arguments take, as pydantic reads it.",
        "nested_fields:",
        *(
            line
            for path, fields in nested_fields(source).items()
            for line in (f"  {path}:", *(f"    {name}: {text}" for name, text in fields.items()))
        ),
        "bounds:" if bounds else "bounds: {}",
        *(f"  {name}: {json.dumps(limits)}" for name, limits in bounds.items()),
        "# The fields that each type of RoPE scaling needs; older names of types.",
        "rope_scaling:",
        *(f"  {kind}: [{', '.join(f)}]" for kind, f in rope_scaling_fields(source).items()),
        f"older_rope_types: {json.dumps(older_rope_types(source))}",
        "# Model types whose config.json is read by a class that keeps rope_parameters.",
        f"own_rope_parameters: {json.dumps(own_rope_parameters(source))}",
        "quantization_methods:",
        *(f"  {name}: {json.dumps(row)}" for name, row in quantization_methods(source).items()),
        "# What takes over the checkpoints of others, in vLLM's order; see scripts/vllm_facts.",
        "quantization_takeovers:",
        *(f"  {name}: {json.dumps(row)}" for name, row in takeovers(source).items()),
        "quantize_while_loading:",
        *(f"- {name}" for name in quantize_while_loading(source)),
        "quantization_weights:",
        *(f"  {name}: {json.dumps(row)}" for name, row in weight_limits(source).items()),
        "quantization_files:",
        *(f"  {name}: {json.dumps(files)}" for name, files in own_files(source).items()),
        f"modelopt_algorithms: {json.dumps(modelopt_algorithms(source))}",
        f"modelopt_file_algorithms: {json.dumps(modelopt_file_algorithms(source))}",
        "compressed_tensors_schemes:",
        *(f"  {name}: {least}" for name, least in compressed_tensors_schemes(source).items()),
        "float16_refused:",
        *(f"- {name}" for name in float16_refused(source)),
        "# Model types and architectures with layers that guess tokens; architectures that refuse",
        "# a window of some of their layers.",
        f"mtp_targets: [{', '.join(mtp_targets(source))}]",
        f"architectures_of_one_window: [{', '.join(architectures_of_one_window(source))}]",
        "architectures:",
        *(f"- {name}" for name in architectures(source)),
        "multimodal_architectures:",
        *(f"- {name}" for name in multimodal_architectures(source)),
        "lora_architectures:",
        *(f"- {name}" for name in lora_architectures(source)),
    ]
    path = TARGET / f"{version}.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_transformers(index: str, versions: list[str]) -> Path:
    """Write which architectures each transformers release can run, and return the file."""
    lines = [
        "# Architectures that vLLM's Transformers backend takes, read from transformers' source by",
        "# scripts/vllm_facts. Do not edit.",
    ]
    for version in versions:
        names = backend_architectures(source_files(index, "transformers", version))
        lines += [f"{version}:", *(f"- {name}" for name in names)]
    path = TARGET.parent / "transformers_architectures.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Write the files of the versions on the command line."""
    parser = argparse.ArgumentParser(prog="scripts.vllm_facts", description=DESCRIPTION)
    parser.add_argument("--index", default=os.environ.get("PIP_INDEX_URL"))
    parser.add_argument("--transformers", action="store_true")
    parser.add_argument("versions", nargs="*")
    arguments = parser.parse_args()
    if not arguments.index:
        parser.error("name a package index with --index, or set PIP_INDEX_URL")
    if arguments.transformers:
        path = write_transformers(arguments.index, arguments.versions)
        print(f"{path.relative_to(ROOT)}: {len(path.read_text().splitlines())} lines")
        return
    for version in arguments.versions or vllm_versions():
        path = write(version, Source(open_release(arguments.index, version)))
        print(f"{path.relative_to(ROOT)}: {len(path.read_text().splitlines())} lines")


if __name__ == "__main__":
    main()
