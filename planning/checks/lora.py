"""LoRA: which of its engine arguments vLLM takes, and whether an adapter can be reached.

Ray Serve LLM reaches adapters only through a `lora_config` with the folder of a bucket, which the
key `lora` names; without it the memory that `enable_lora` reserves is never used.
"""

from collections.abc import Iterable
from typing import Final

from models.catalog import suitable_rays, vllm_behaviour
from models.problems import Problem
from models.values_meant import ways_to_releases
from models.ways_out import leave_out, outside, together, use
from planning.checks.contexts import EntryContext

_NEEDS_ENABLE: Final = ("max_lora_rank", "max_loras", "max_cpu_loras", "lora_dtype", "lora_modules")


def lora_problems(context: EntryContext) -> Iterable[Problem]:
    """What is wrong with a model's LoRA arguments. https://github.com/vllm-project/vllm/issues/2847

    Ray Serve LLM answers 404 for an adapter of a model without lora_config (router.py, 2.49.1).
    """
    engine, path, vllm = context.engine, context.path, context.vllm
    if vllm is None:
        return
    rank = engine.get("max_lora_rank")
    ranks = vllm_behaviour(vllm).lora_ranks
    # Else vLLM reads none of the others. The key `lora` writes it.
    enabled = engine.get("enable_lora") is True or context.deployment.lora is not None
    if enabled and isinstance(rank, int) and ranks is not None and rank not in ranks:
        near = next((known for known in ranks if known >= rank), ranks[-1])
        yield Problem(
            path=f"{path}.engine.max_lora_rank",
            value=rank,
            reason=f"is not a rank of vLLM {vllm}, which supports "
            f"{', '.join(str(known) for known in ranks)}",
            remedy="Use one of these",
            rule="lora-rank",
            candidates=(
                use(f"{path}.engine.max_lora_rank", near, f"use {near}"),
                leave_out(f"{path}.engine.max_lora_rank", "leave it out"),
            ),
        )
    loras, on_host = engine.get("max_loras", 1), engine.get("max_cpu_loras")
    if isinstance(loras, int) and isinstance(on_host, int) and enabled and 0 < on_host < loras:
        yield Problem(
            path=f"{path}.engine.max_cpu_loras",
            value=on_host,
            reason=f"is below max_loras {loras}, and vLLM loads adapters through the host",
            remedy="Use more, or leave it out",
            rule="lora-count",
            candidates=(
                use(f"{path}.engine.max_cpu_loras", loras, f"use {loras} or more"),
                leave_out(f"{path}.engine.max_cpu_loras", "leave it out"),
            ),
        )
    if context.deployment.lora is not None or engine.get("enable_lora") is True:
        yield from _unsupported(context)
    if context.deployment.lora is None:
        yield from _without_folder(context)
    elif engine.get("enable_lora") is False:
        yield Problem(
            path=f"{path}.engine.enable_lora",
            value=False,
            reason="contradicts lora, which names a folder of adapters",
            remedy="Keep one of the two",
            rule="contradiction",
            candidates=(leave_out(f"{path}.engine.enable_lora"), leave_out(f"{path}.lora")),
        )


def _unsupported(context: EntryContext) -> Iterable[Problem]:
    """load_lora_model: "does not support LoRA yet", ValueError when the model is loaded."""
    checkpoint, release = context.checkpoint, context.release
    if checkpoint is None or release is None or not checkpoint.is_known_to(release.vllm):
        return
    if checkpoint.takes_adapters(release.vllm):
        return
    stated = context.deployment.lora is not None
    path = f"{context.path}.lora" if stated else f"{context.path}.engine.enable_lora"
    yield Problem(
        path=path,
        value=checkpoint.served_class,
        reason=f"takes no LoRA adapters in vLLM {release.vllm}",
        remedy="Leave it out, and serve the merged model as a source",
        rule="lora-unsupported",
        candidates=(
            *ways_to_releases(
                suitable_rays(
                    lambda row: (
                        checkpoint.takes_adapters(row.vllm) and checkpoint.is_known_to(row.vllm)
                    )
                )
            ),
            leave_out(path, "leave it out, and serve the merged model as a source"),
        ),
    )


def _without_folder(context: EntryContext) -> Iterable[Problem]:
    """LoRA arguments of a model that names no folder of adapters."""
    engine, path = context.engine, context.path
    folder = outside("name the folder of its adapters: lora: {path: gs://<bucket>/<folder>}")
    if engine.get("enable_lora") is True:
        yield Problem(
            path=f"{path}.engine.enable_lora",
            value=True,
            reason="reserves memory for LoRA adapters, and the model names no folder of them: a "
            "request for an adapter would get a 404",
            remedy="Leave it out",
            rule="lora-unreachable",
            candidates=(
                together(
                    "leave all LoRA arguments out",
                    leave_out(f"{path}.engine.enable_lora"),
                    *(
                        leave_out(f"{path}.engine.{name}")
                        for name in _NEEDS_ENABLE
                        if name in engine
                    ),
                ),
                folder,
            ),
        )
        return
    for name in _NEEDS_ENABLE:
        if engine.get(name) is not None:
            yield Problem(
                path=f"{path}.engine.{name}",
                value=engine[name],
                reason="has no effect on a model without LoRA adapters",
                remedy="Leave it out",
                rule="lora-unreachable",
                candidates=(leave_out(f"{path}.engine.{name}", "leave it out"), folder),
            )
