"""Speculative decoding: what each vLLM release can do of it, from its SpeculativeConfig."""

from collections.abc import Iterable, Mapping

from models.catalog import llms, oldest_ray, vllm_behaviour
from models.problems import Problem
from models.ways_out import WayOut, leave_out, outside, use
from planning.checks.contexts import EntryContext, PlacedContext
from planning.placement.other_pools import other_pools


def speculative_config_problems(context: EntryContext) -> Iterable[Problem]:
    """What vLLM would refuse in `speculative_config`, whatever the GPU."""
    vllm, config = context.vllm, context.engine.get("speculative_config")
    if vllm is None or not isinstance(config, Mapping) or not config:
        return
    where = f"{context.path}.engine.speculative_config"
    method, draft = config.get("method"), config.get("model")
    tokens = config.get("num_speculative_tokens")
    if method is None and draft is None:
        yield Problem(
            path=where,
            reason="names neither a method nor a model, so nothing would be guessed",
            remedy="Add method: ngram, or the model of an EAGLE head",
            rule="speculative-config",
            candidates=(leave_out(where, "leave it out"), *_ngram(where, config)),
        )
    if tokens is None and (method in ("ngram", "[ngram]") or draft in ("ngram", "[ngram]")):
        yield Problem(
            path=where,
            reason="lacks num_speculative_tokens, the number of tokens that are guessed at once",
            remedy="Say how many tokens are guessed",
            rule="speculative-config",
            candidates=(
                use(f"{where}.num_speculative_tokens", 4, "add num_speculative_tokens: 4"),
            ),
        )
    elif tokens is not None and (not isinstance(tokens, int) or tokens < 1):
        yield Problem(
            path=f"{where}.num_speculative_tokens",
            value=tokens,
            reason="is not a number of tokens",
            remedy="Use 1 or more",
            rule="speculative-config",
            candidates=(
                use(f"{where}.num_speculative_tokens", 4, "use 4, or another number from 1 on"),
            ),
        )
    if not vllm_behaviour(vllm).draft_models and _is_draft_model(method, draft):
        newer = oldest_ray(lambda row: vllm_behaviour(row.vllm).draft_models)
        yield Problem(
            path=where,
            value=str(draft or method),
            reason=f"is an ordinary model, and the V1 engine of vLLM {vllm} takes none as a draft",
            remedy="Use an EAGLE head",
            rule="speculative-draft-model",
            candidates=(
                *_ngram(where, config),
                *(
                    ()
                    if newer is None
                    else (
                        use("ray-llm:versions.ray", newer, f"use versions.ray: {newer} or newer"),
                    )
                ),
                outside("use an EAGLE head"),
            ),
        )


def _ngram(where: str, config: Mapping[str, object]) -> Iterable[WayOut]:
    """Guesses from the prompt itself, which needs no second model."""
    tokens = config.get("num_speculative_tokens")
    guessed = tokens if isinstance(tokens, int) and tokens > 0 else 4
    value = {"method": "ngram", "num_speculative_tokens": guessed}
    yield use(where, value, "use method: ngram, which needs no draft model")


def speculative_engine_problems(context: PlacedContext) -> Iterable[Problem]:
    """The V0 engine of vLLM 0.10 has no speculative decoding (platforms/cuda.py raises)."""
    if context.engine.get("speculative_config") and context.model.v0_engine:
        yield Problem(
            path=f"{context.path}.engine.speculative_config",
            reason="is not supported by the V0 engine, which this GPU or KV cache dtype needs",
            remedy="Use an L4 or a newer GPU",
            rule="speculative-v0",
            candidates=(
                leave_out(f"{context.path}.engine.speculative_config", "leave it out"),
                *other_pools(context.spec, context.choice, context.choices, context.offer),
            ),
        )


def _is_draft_model(method: object, draft: object) -> bool:
    """Whether vLLM would load the draft as an ordinary model: stated so, or known as one."""
    if method is not None:
        return method == "draft_model"
    return isinstance(draft, str) and draft in {row.source for row in llms().values()}
