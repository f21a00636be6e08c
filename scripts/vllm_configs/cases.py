"""The cases: all models of the catalogue as they are, and variations of a few of them.

Each variation changes one thing: a dtype, a quantization, a context, one engine argument, or
something in config.json. Engine arguments get the values that the facts of the release list, and
one that they do not.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from models.catalog import (
    GpuTier,
    LlmRow,
    argument_bounds,
    closed_values,
    engine_arguments,
    gpu_tiers,
    llms,
    nested_fields,
    quantization_methods,
    ray_releases,
)
from planning.plan import GIB

GPUS: Final = ("t4", "l4", "a100-80gb", "h100-80gb")
_SHARE_FOR_WEIGHTS: Final = 0.8
# One of each kind: dense, with a window, AWQ, experts, MLA, images, MXFP4.
_DENSE: Final = "qwen2.5-1.5b-instruct"
VARIED: Final = (
    _DENSE,
    "gemma-2-2b-it",
    "phi-3.5-mini-instruct",
    "qwen2.5-7b-instruct-awq",
    "qwen3-30b-a3b",
    "deepseek-v2-lite-chat",
    "gemma-3-4b-it",
    "gpt-oss-20b",
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model entry on one tier of one Ray release.

    patch: what its config.json has otherwise than the catalogue's row; null removes a field.
    build: whether the rotary embedding is made as well.
    """

    name: str
    ray: str
    tier: GpuTier
    row: LlmRow
    entry: Mapping[str, Any] = field(default_factory=dict)
    patch: Mapping[str, Any] = field(default_factory=dict)
    build: bool = False


def cases(ray: str, gpu: str) -> Iterator[Case]:
    """The cases of one release on one GPU."""
    for row in llms().values():
        tier = _tier(row, gpu)
        if tier is not None:
            yield Case(name=f"{row.id} as it is", ray=ray, tier=tier, row=row, entry=_spread(tier))
    for name in VARIED:
        row = llms()[name]
        tier = _tier(row, gpu)
        if tier is None:
            continue
        for label, variation in _entries(row, ray):
            entry = _spread(tier) | variation
            yield Case(name=f"{name} {label}", ray=ray, tier=tier, row=row, entry=entry)
    dense = llms()[_DENSE]
    tier = _tier(dense, gpu)
    if tier is None:
        return
    for label, engine in (*_engine_arguments(ray), *_speculative()):
        entry = {"engine": engine}
        yield Case(name=f"{_DENSE} {label}", ray=ray, tier=tier, row=dense, entry=entry)
    for label, entry, patch in (*_rope(), *_config_files()):
        yield Case(
            name=f"{_DENSE} {label}",
            ray=ray,
            tier=tier,
            row=dense,
            entry=entry,
            patch=patch,
            build="rope" in label,
        )


def _tier(row: LlmRow, gpu: str) -> GpuTier | None:
    """The smallest tier of a GPU that holds the weights; None if none does."""
    return next(
        (
            tier
            for tier in gpu_tiers().values()
            if tier.gpu == gpu
            and row.architecture.num_attention_heads % tier.gpu_count == 0
            and row.weight_bytes < tier.gpu_count * tier.gpu_memory_gib * GIB * _SHARE_FOR_WEIGHTS
        ),
        None,
    )


def _spread(tier: GpuTier) -> dict[str, Any]:
    return {} if tier.gpu_count == 1 else {"tensorParallelSize": tier.gpu_count}


def _entries(row: LlmRow, ray: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Variations that mean something else for each kind of model."""
    vllm = ray_releases()[ray].vllm
    limit = row.architecture.max_position_embeddings
    for dtype in ("auto", "half", "float16", "bfloat16", "float32"):
        yield f"dtype {dtype}", {"engine": {"dtype": dtype}}
    # A large embedding or one of its own files does not matter to the configuration.
    names = {*quantization_methods(vllm), "AWQ", "auto_awq", "auto_gptq", "awq", "fp9"}
    for name in sorted(names):
        yield f"quantization {name}", {"quantization": name}
    for kv in ("auto", "fp8", "fp8_e5m2", "bfloat16"):
        yield f"kv_cache_dtype {kv}", {"engine": {"kv_cache_dtype": kv}}
    for context in (2048, 4096, 8192, 8193, limit, limit + 1):
        yield f"context {context}", {"contextLength": context}
    for engine in (
        {"enable_prefix_caching": True},
        {"enable_prefix_caching": False},
        {"enable_chunked_prefill": False},
        {"disable_sliding_window": True},
        {"enable_expert_parallel": True},
        {"enable_lora": True},
        {"enable_lora": True, "lora_dtype": "float16"},
        {"max_num_seqs": 512},
        {"max_num_batched_tokens": 1024},
        {"max_num_batched_tokens": 64},
        {"block_size": 32},
        {"block_size": 7},
        {"limit_mm_per_prompt": {"image": 1}},
        {"mm_processor_kwargs": {"num_crops": 4}},
        {"interleave_mm_strings": True},
        {"enforce_eager": True},
        {"trust_remote_code": True},
        {"max_model_len": -1},
    ):
        yield _label(engine), {"contextLength": min(4096, limit), "engine": engine}
    for long in (16384, 40000):
        if long <= limit:
            engine = {"enable_chunked_prefill": False}
            yield f"context {long} {_label(engine)}", {"contextLength": long, "engine": engine}


def _label(engine: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in engine.items())


# What these ask for does not exist beside a test: files, plug-ins, other machines, packages.
_OUTSIDE: Final = re.compile(
    r"model|tokenizer|served_model_name|hf_config_path|hf_token|revision|_plugin|_path$|"
    r"scheduler_cls|worker_cls|worker_extension_cls|logits_processor|download_dir|task|convert|"
    r"runner|model_impl|distributed_executor_backend|data_parallel|nnodes|node_rank|master_|"
    r"tensor_parallel_size|_config$|hf_overrides|rope_|additional_config|device|kv_offloading"
)

# What no other argument or checkpoint has to go with.
_TRIED_WHOLE: Final = re.compile(
    r"structured_outputs_config\.backend|compilation_config\.(mode|cudagraph_mode)"
)


def _nested_fields(vllm: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field of a configuration with a value that it refuses; some with all that they take."""
    bounds = argument_bounds(vllm)
    for path, fields in nested_fields(vllm).items():
        for name, row in fields.items():
            where = f"{path}.{name}"
            values: list[Any] = [{"no": "mapping"}] if "dict" not in row.types else ["no mapping"]
            values += [
                int(bound) + step
                for limit, bound in bounds.get(where, {}).items()
                for step in ((-1, 0) if limit == "ge" else (0, 1))
            ]
            if row.choices is not None:
                values.append("none-of-these")
            if _TRIED_WHOLE.fullmatch(where):
                values += row.choices or ()
            for value in values:
                yield f"{where}={value}", _at(where, value)


def _at(path: str, value: Any) -> dict[str, Any]:
    """Mappings with a value at a path: `a.b` is {"a": {"b": value}}."""
    *outer, last = path.split(".")
    found = {last: value}
    for step in reversed(outer):
        found = {step: found}
    return found


def _engine_arguments(ray: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every argument of the release with the values that its facts list and one that is not."""
    vllm = ray_releases()[ray].vllm
    closed, bounds = closed_values(vllm), argument_bounds(vllm)
    for name, argument in engine_arguments(vllm).items():
        values: list[Any] = []
        if name in closed and "dict" not in argument.types:
            values += [*sorted(closed[name]), "none-of-these"]
        if _OUTSIDE.search(name) and not values:
            continue
        if argument.choices is not None:
            values += [*argument.choices, "none-of-these"]
        elif "bool" in argument.types:
            values += [True, False]
        elif "int" in argument.types or "float" in argument.types:
            values += [-1, 0, 1, 2, 8, 0.5]
            for limit in bounds.get(name, {}).values():
                values += [limit - 1, int(limit), limit + 1]
        if "none" in argument.types:
            values.append(None)
        for value in dict.fromkeys(map(_whole, values)):
            yield f"{name}={value}", {name: value}
    for argument_name in closed:
        if not re.search(r"_config(\.|$)", argument_name) or argument_name == "speculative_config":
            continue
        yield f"{argument_name} unknown field", _at(argument_name, {"no_such_field": 1})
    yield from _nested_fields(vllm)
    yield "graphs by both", {"cudagraph_capture_sizes": [1, 2, 4], "max_cudagraph_capture_size": 8}
    yield (
        "graphs that agree",
        {
            "cudagraph_capture_sizes": [1, 2, 4],
            "max_cudagraph_capture_size": 4,
        },
    )
    yield "compilation level", {"compilation_config": {"level": 3}}
    yield "compilation mode", {"compilation_config": {"mode": 3}}
    yield "compilation number", {"compilation_config": 3}
    yield "eplb with experts", {"enable_eplb": True, "enable_expert_parallel": True}
    for engine in (
        {"pipeline_parallel_size": 1, "async_scheduling": True},
        {"guided_decoding_backend": "lm-format-enforcer"},
        {"guided_decoding_backend": "outlines"},
        {"max_num_partial_prefills": 2},
        {"num_scheduler_steps": 8},
        {"scheduler_delay_factor": 0.5},
        {"max_lora_rank": 24},
        {"max_lora_rank": 24, "enable_lora": True},
        {"max_lora_rank": 32, "enable_lora": True},
        {"enable_lora": True, "max_loras": 4, "max_cpu_loras": 2},
    ):
        yield _label(engine), engine


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _speculative() -> Iterator[tuple[str, dict[str, Any]]]:
    draft = llms()["qwen2.5-0.5b-instruct"].source
    other = llms()["smollm2-135m-instruct"].source
    ngram = {"method": "ngram", "num_speculative_tokens": 3}
    for label, config in (
        ("empty", {}),
        ("ngram", ngram),
        ("ngram without tokens", {"method": "ngram"}),
        ("ngram zero tokens", {"method": "ngram", "num_speculative_tokens": 0}),
        ("ngram window", {**ngram, "prompt_lookup_min": 2, "prompt_lookup_max": 4}),
        ("ngram only max", {**ngram, "prompt_lookup_max": 4}),
        ("ngram only min", {**ngram, "prompt_lookup_min": 4}),
        ("ngram inverted", {**ngram, "prompt_lookup_min": 5, "prompt_lookup_max": 4}),
        ("ngram window of zero", {**ngram, "prompt_lookup_max": 0}),
        ("ngram batch of 1", {**ngram, "disable_by_batch_size": 1}),
        ("ngram batch of 8", {**ngram, "disable_by_batch_size": 8}),
        ("unknown field", {**ngram, "num_tokens": 3}),
        ("misspelt method", {**ngram, "method": "ngramm"}),
        ("tokens alone", {"num_speculative_tokens": 3}),
        ("eagle without model", {"method": "eagle", "num_speculative_tokens": 3}),
        ("suffix", {"method": "suffix"}),
        ("mtp", {"method": "mtp", "num_speculative_tokens": 1}),
        ("deepseek_mtp", {"method": "deepseek_mtp", "num_speculative_tokens": 1}),
        ("ngram_gpu", {**ngram, "method": "ngram_gpu"}),
        ("draft", {"model": draft, "num_speculative_tokens": 3}),
        ("draft as method", {"method": "draft_model", "model": draft, "num_speculative_tokens": 3}),
        ("draft without tokens", {"model": draft}),
        ("draft of others", {"model": other, "num_speculative_tokens": 3}),
    ):
        yield f"speculative {label}", {"speculative_config": config}
    yield "speculative ngram async", {"speculative_config": ngram, "async_scheduling": True}


_YARN: Final = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
_LONG: Final = {"contextLength": 40960}


def _rope() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Overrides and config.json files of RoPE scaling: entry and patch."""
    base = {"rope_theta": 1_000_000.0}
    for label, scaling in (
        ("yarn", _YARN),
        ("yarn without original", {"rope_type": "yarn", "factor": 4.0}),
        (
            "yarn by type",
            {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        ),
        ("yarn without factor", {"rope_type": "yarn", "original_max_position_embeddings": 32768}),
        ("linear", {"rope_type": "linear", "factor": 4.0}),
        ("dynamic", {"rope_type": "dynamic", "factor": 4.0}),
        ("ntk", {"rope_type": "ntk", "factor": 4.0}),
        ("without type", {"factor": 4.0}),
        ("default", {"rope_type": "default"}),
        (
            "llama3",
            {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
        ),
        (
            "llama3 without factors",
            {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
        ),
        (
            "longrope",
            {
                "rope_type": "longrope",
                "short_factor": [1.0] * 64,
                "long_factor": [1.0] * 64,
                "original_max_position_embeddings": 4096,
            },
        ),
        (
            "su",
            {
                "rope_type": "su",
                "short_factor": [1.0] * 64,
                "long_factor": [1.0] * 64,
                "original_max_position_embeddings": 4096,
            },
        ),
        ("mrope", {"rope_type": "mrope", "mrope_section": [16, 24, 24]}),
        ("proportional", {"rope_type": "proportional", "factor": 4.0}),
        ("deepseek_yarn", {**_YARN, "rope_type": "deepseek_yarn"}),
        ("deepseek_llama_scaling", {**_YARN, "rope_type": "deepseek_llama_scaling"}),
        ("unknown type", {"rope_type": "spiral", "factor": 4.0}),
    ):
        short = {"contextLength": 4096}
        entry = _LONG if label == "yarn" else short
        theirs = base | scaling
        for name, override in (
            ("rope_scaling", {"rope_scaling": scaling}),
            ("rope_scaling with base", {"rope_scaling": theirs}),
            ("rope_scaling beside base", {"rope_scaling": scaling, **base}),
            ("rope_parameters", {"rope_parameters": scaling}),
            ("rope_parameters with base", {"rope_parameters": theirs}),
        ):
            yield f"override {name} {label}", {**entry, "engine": {"hf_overrides": override}}, {}
        if "factor" in label or label in ("without type", "unknown type"):
            continue  # reading such a file stops the plan for its own reason
        yield f"file rope_scaling {label}", entry, {"rope_scaling": scaling}
        parameters = {"rope_theta": None, "rope_parameters": theirs}
        yield f"file rope_parameters {label}", entry, parameters


def _config_files() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Files of other checkpoints, made from one model's: entry and patch."""
    short = {"contextLength": 4096}
    for name in ("model_max_length", "seq_length", "max_sequence_length", "max_seq_len"):
        yield f"file {name}", {"contextLength": 8192}, {name: 4096}
    window = {"use_sliding_window": True, "sliding_window": 4096}
    layers = llms()[_DENSE].architecture.num_hidden_layers
    yield "file window of some layers", short, {**window, "max_window_layers": layers - 4}
    yield "file window of no layer", short, {**window, "max_window_layers": layers}
    yield "file window of all layers", short, {**window, "max_window_layers": 0}
    awq = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}
    gptq = {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": 128,
        "sym": True,
        "desc_act": False,
    }
    for label, config in (
        ("awq", awq),
        ("awq 8 bits", {**awq, "bits": 8}),
        ("awq group 256", {**awq, "group_size": 256}),
        ("awq no zero point", {**awq, "zero_point": False}),
        ("gptq", gptq),
        ("gptq 8 bits", {**gptq, "bits": 8}),
        ("gptq 3 bits", {**gptq, "bits": 3}),
        ("gptq 2 bits", {**gptq, "bits": 2}),
        ("gptq asymmetric", {**gptq, "sym": False}),
        ("gptq group 16", {**gptq, "group_size": 16}),
        ("gptq desc_act", {**gptq, "desc_act": True}),
        ("fp8", {"quant_method": "fp8", "activation_scheme": "dynamic"}),
        ("bitsandbytes", {"quant_method": "bitsandbytes", "load_in_4bit": True}),
        *_compressed(),
    ):
        patch = {"quantization_config": config}
        yield f"file {label}", short, patch
        for dtype in ("float16", "bfloat16", "float32"):
            yield f"file {label} dtype {dtype}", {**short, "engine": {"dtype": dtype}}, patch
        for asked in (
            "AWQ",
            "auto_awq",
            "auto_gptq",
            "moe_wna16",
            "awq_marlin",
            "gptq_marlin",
            "awq",
            "gptq",
            "compressed-tensors",
            "fp8",
        ):
            yield f"file {label} quantization {asked}", {**short, "quantization": asked}, patch
    for architecture, model_type in (
        ("OlmoForCausalLM", "olmo"),
        ("Olmo2ForCausalLM", "olmo2"),
        ("Olmo3ForCausalLM", "olmo3"),
        ("Starcoder2ForCausalLM", "starcoder2"),
        ("SmolLM3ForCausalLM", "smollm3"),
        ("GPTBigCodeForCausalLM", "gpt_bigcode"),
        ("HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense"),
        ("FlexOlmoForCausalLM", "flex_olmo"),
        ("VaultGemmaForCausalLM", "vaultgemma"),
        ("HeliumForCausalLM", "helium"),
        ("BitNetForCausalLM", "bitnet"),
        ("CohereForCausalLM", "cohere"),
        ("StableLmForCausalLM", "stablelm"),
        ("NoSuchForCausalLM", "no_such"),
        ("MiniCPM3ForCausalLM", "minicpm3"),
        ("GlmForCausalLM", "glm"),
        ("Glm4ForCausalLM", "glm4"),
        ("GraniteForCausalLM", "granite"),
        ("NemotronForCausalLM", "nemotron"),
        ("Exaone4ForCausalLM", "exaone4"),
        ("BloomForCausalLM", "bloom"),
    ):
        patch = {"architectures": [architecture], "model_type": model_type}
        yield f"file {architecture}", short, patch


def _compressed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Checkpoints of compressed-tensors, by format."""
    for label, form, bits, kind, activations in (
        ("W4A16", "pack-quantized", 4, "int", None),
        ("W8A16", "pack-quantized", 8, "int", None),
        ("FP8", "float-quantized", 8, "float", 8),
        ("INT8", "int-quantized", 8, "int", 8),
    ):
        weights = {
            "num_bits": bits,
            "type": kind,
            "symmetric": True,
            "strategy": "group" if bits == 4 else "channel",
            "group_size": 128 if bits == 4 else None,
            "dynamic": False,
        }
        inputs = activations and {
            "num_bits": activations,
            "type": kind,
            "symmetric": True,
            "strategy": "token",
            "dynamic": True,
        }
        yield (
            f"compressed-tensors {label}",
            {
                "quant_method": "compressed-tensors",
                "format": form,
                "ignore": ["lm_head"],
                "config_groups": {
                    "group_0": {
                        "targets": ["Linear"],
                        "weights": weights,
                        "input_activations": inputs,
                    }
                },
            },
        )


def all_cases(rays: Iterable[str], gpus: Iterable[str]) -> dict[tuple[str, str], list[Case]]:
    """The cases by release and GPU."""
    return {(ray, gpu): list(cases(ray, gpu)) for ray, gpu in itertools.product(rays, gpus)}
