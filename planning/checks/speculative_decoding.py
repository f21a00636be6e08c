"""Speculative decoding: what each vLLM release can do of it, from its SpeculativeConfig."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from models.architecture import LlmArchitecture
from models.catalog import (
    closed_values,
    llms,
    mtp_targets,
    nearest_ray,
    oldest_ray,
    vllm_behaviour,
)
from models.problems import Problem, stops
from models.spelling import accepted, nearest
from models.values_meant import ways_from_field, ways_from_value, ways_to_release
from models.ways_out import WayOut, leave_out, outside, use
from planning.checks.contexts import EntryContext, PlacedContext
from planning.placement.other_pools import other_pools
from planning.plan import ReleasePlan
from planning.sizing.memory.draft import speculative_config, speculative_method

_RULE: Final = "speculative-config"
# Methods that load a draft of their own; the others look up, or take layers of the model.
_NEED_MODEL: Final = frozenset(
    {"custom_class", "dflash", "draft_model", "eagle", "eagle3", "medusa", "mlp_speculator"}
)
_LOOKUPS: Final = ("prompt_lookup_min", "prompt_lookup_max")
_FEWEST_BATCH: Final = 2  # disable_by_batch_size, SpeculativeConfig._verify_args


def speculative_config_problems(context: EntryContext) -> Iterable[Problem]:
    """What vLLM would refuse in `speculative_config`, whatever the GPU."""
    release, config = context.release, speculative_config(context.engine)
    if release is None or config is None:
        return
    where = f"{context.path}.engine.speculative_config"
    unknown = tuple(_unknown(config, release, where))
    yield from unknown
    if stops(unknown):
        return  # the rest reads fields and methods that are known
    yield from _incomplete(config, where)
    yield from _numbers(config, where)
    yield from _draft(context, config, release, where)
    yield from _async(context, config, release)


def _unknown(config: Mapping[str, Any], release: ReleasePlan, where: str) -> Iterable[Problem]:
    """Fields and methods that this release does not have."""
    fields = closed_values(release.vllm)["speculative_config"]
    for field in config:
        # vLLM 0.29 reads dashes as underscores.
        if field.replace("-", "_") not in fields:
            ray = _ray_with("speculative_config", field, release)
            refused = vllm_behaviour(release.vllm).refuses_fields_of("speculative_config")
            yield Problem(
                path=f"{where}.{field}",
                reason=f"is not a field of speculative_config in vLLM {release.vllm}"
                + ("" if refused else ", which drops it without a word"),
                remedy=f"{nearest(field, fields)}Leave it out",
                rule=_RULE if refused else "engine-argument-idle",
                candidates=ways_from_field(f"{where}.{field}", field, fields, ray),
            )
    method = config.get("method")
    methods = closed_values(release.vllm)["speculative_config.method"]
    if isinstance(method, str) and method not in methods:
        ray = _ray_with("speculative_config.method", method, release)
        yield Problem(
            path=f"{where}.method",
            value=method,
            reason=f"is not a method of speculative decoding in vLLM {release.vllm}",
            remedy=accepted(method, sorted(methods)),
            rule=_RULE,
            candidates=(
                *ways_from_value(f"{where}.method", method, methods, ray),
                *_ngram(where, config),
                leave_out(where),
            ),
        )

    for name in ("method", "model"):
        value = config.get(name)
        if value is not None and not isinstance(value, str):
            yield Problem(
                path=f"{where}.{name}",
                value=value,
                reason="is not a text",
                remedy=f"Write the name of a {name}",
                rule=_RULE,
            )


def _ray_with(path: str, value: str, release: ReleasePlan) -> str | None:
    return nearest_ray(lambda row: value in closed_values(row.vllm)[path], release.ray.ray)


def _incomplete(config: Mapping[str, Any], where: str) -> Iterable[Problem]:
    method, draft = config.get("method"), config.get("model")
    tokens = config.get("num_speculative_tokens")
    if method is None and draft is None:
        yield Problem(
            path=where,
            reason="names neither a method nor a model, so nothing would be guessed",
            remedy="Add method: ngram, or the model of an EAGLE head",
            rule=_RULE,
            candidates=(leave_out(where, "leave it out"), *_ngram(where, config)),
        )
    elif method in _NEED_MODEL and not draft:
        yield Problem(
            path=where,
            reason=f"has method {method} and no model, and vLLM would have nothing to load",
            remedy="Add the model of the draft",
            rule=_RULE,
            candidates=(*_ngram(where, config), outside("add the model of the draft")),
        )
    if tokens is None and (method in ("ngram", "[ngram]") or draft in ("ngram", "[ngram]")):
        yield Problem(
            path=where,
            reason="lacks num_speculative_tokens, the number of tokens that are guessed at once",
            remedy="Say how many tokens are guessed",
            rule=_RULE,
            candidates=(
                use(f"{where}.num_speculative_tokens", 4, "add num_speculative_tokens: 4"),
            ),
        )
    elif tokens is not None and not _is_count(tokens):
        yield Problem(
            path=f"{where}.num_speculative_tokens",
            value=tokens,
            reason="is not a number of tokens",
            remedy="Use 1 or more",
            rule=_RULE,
            candidates=(
                use(f"{where}.num_speculative_tokens", 4, "use 4, or another number from 1 on"),
            ),
        )


def _numbers(config: Mapping[str, Any], where: str) -> Iterable[Problem]:
    """The window of n-grams, and the batch above which nothing is guessed."""
    stated = {name: config[name] for name in _LOOKUPS if config.get(name) is not None}
    for name, value in stated.items():
        if not _is_count(value):
            yield Problem(
                path=f"{where}.{name}",
                value=value,
                reason="is not a number of tokens",
                remedy="Use 1 or more",
                rule=_RULE,
                candidates=(leave_out(f"{where}.{name}", "leave it out"),),
            )
            return
    least, most = (stated.get(name) for name in _LOOKUPS)
    if least is not None and most is not None and least > most:
        yield Problem(
            path=f"{where}.prompt_lookup_min",
            value=least,
            reason=f"is above prompt_lookup_max, which is {most}",
            remedy="Use less, or raise prompt_lookup_max",
            rule=_RULE,
            candidates=(
                use(f"{where}.prompt_lookup_min", most, f"use at most {most}"),
                use(f"{where}.prompt_lookup_max", least),
            ),
        )
    batch = config.get("disable_by_batch_size")
    if batch is not None and not (_is_count(batch) and batch >= _FEWEST_BATCH):
        yield Problem(
            path=f"{where}.disable_by_batch_size",
            value=batch,
            reason=f"is below {_FEWEST_BATCH}, and vLLM refuses that",
            remedy=f"Use {_FEWEST_BATCH} or more, or leave speculative_config out",
            rule=_RULE,
            candidates=(
                leave_out(f"{where}.disable_by_batch_size", "leave it out"),
                leave_out(where, "leave speculative_config out"),
            ),
        )


def _draft(
    context: EntryContext, config: Mapping[str, Any], release: ReleasePlan, where: str
) -> Iterable[Problem]:
    """What the release, or the model, says of the draft."""
    method, draft, vllm = config.get("method"), config.get("model"), release.vllm
    facts = vllm_behaviour(vllm)
    architecture = context.architecture
    if not facts.draft_models and _is_draft_model(method, draft):
        newer = oldest_ray(lambda row: vllm_behaviour(row.vllm).draft_models)
        yield Problem(
            path=where,
            value=str(draft or method),
            reason=f"is an ordinary model, and the V1 engine of vLLM {vllm} takes none as a draft",
            remedy="Use an EAGLE head",
            rule="speculative-draft-model",
            candidates=(
                *_ngram(where, config),
                *ways_to_release(newer, " or newer"),
                outside("use an EAGLE head"),
            ),
        )
        return
    if config.get("num_speculative_tokens") is None and draft and _is_draft_model(method, draft):
        yield Problem(
            path=where,
            reason="lacks num_speculative_tokens, the number of tokens that are guessed at once",
            remedy="Say how many tokens are guessed",
            rule=_RULE,
            candidates=(
                use(f"{where}.num_speculative_tokens", 4, "add num_speculative_tokens: 4"),
            ),
        )
    if architecture is None:
        return
    if isinstance(method, str) and method.endswith("mtp") and not draft:
        yield from _own_layers(architecture, method, config, release, where)
    targets = facts.eagle3_targets
    if (
        method == "eagle3"
        and targets is not None
        and not any(part in architecture.model_type for part in targets)
    ):
        model_type = architecture.model_type

        def takes(version: str) -> bool:
            parts = vllm_behaviour(version).eagle3_targets
            return parts is None or any(part in model_type for part in parts)

        ray = nearest_ray(lambda row: takes(row.vllm), release.ray.ray)
        yield Problem(
            path=f"{where}.method",
            value=method,
            reason=f"is only for {', '.join(targets)} models in vLLM {vllm}, and this one is a "
            f"{model_type}",
            remedy="Use a method that needs no draft of the model's family",
            rule=_RULE,
            candidates=(*_ngram(where, config), *ways_to_release(ray)),
        )
    row = next((row for row in llms().values() if row.source == draft), None)
    if (
        facts.draft_vocabulary
        and row is not None
        and _is_draft_model(method, draft)
        and not config.get("use_heterogeneous_vocab")
        and row.architecture.vocab_size != architecture.vocab_size
    ):
        yield Problem(
            path=f"{where}.model",
            value=row.source,
            reason=f"has a vocabulary of {row.architecture.vocab_size} entries and the model one "
            f"of {architecture.vocab_size}: vLLM takes a draft with the same vocabulary only",
            remedy="Use a smaller model of the same family and generation",
            rule="speculative-draft-model",
            candidates=(
                outside("use a smaller model of the same family and generation"),
                *_ngram(where, config),
            ),
        )


def _own_layers(
    architecture: LlmArchitecture,
    method: str,
    config: Mapping[str, Any],
    release: ReleasePlan,
    where: str,
) -> Iterable[Problem]:
    """SpeculativeConfig.hf_config_override: the models with layers that guess tokens."""

    def guesses(vllm: str) -> bool:
        # config.json names the inner model qwen3_5_text, and vLLM asks the outer one, qwen3_5.
        name, targets = architecture.model_type, mtp_targets(vllm)
        return architecture.architecture in targets or any(map(name.startswith, targets))

    if not guesses(release.vllm):
        ray = nearest_ray(lambda row: guesses(row.vllm), release.ray.ray)
        yield Problem(
            path=f"{where}.method",
            value=method,
            reason=f"takes layers of the model that guess tokens, and vLLM {release.vllm} knows "
            f"none in a {architecture.model_type}",
            remedy="Use a method that needs none",
            rule=_RULE,
            candidates=(*_ngram(where, config), *ways_to_release(ray), leave_out(where)),
        )


def _async(
    context: EntryContext, config: Mapping[str, Any], release: ReleasePlan
) -> Iterable[Problem]:
    """Methods that cannot run while the next step is scheduled."""
    method = speculative_method(config)
    if context.engine.get("async_scheduling") is not True or method is None:
        return
    kind = "mtp" if method.endswith("mtp") else method
    if kind not in vllm_behaviour(release.vllm).async_speculation:
        yield Problem(
            path=f"{context.path}.engine.async_scheduling",
            value=True,
            reason=f"does not go with speculative decoding by {method} in vLLM {release.vllm}",
            remedy="Leave async_scheduling out, or speculative_config",
            rule=_RULE,
            candidates=(
                leave_out(f"{context.path}.engine.async_scheduling", "leave async_scheduling out"),
                leave_out(f"{context.path}.engine.speculative_config"),
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
    if speculative_config(context.engine) and context.model.v0_engine:
        yield Problem(
            path=f"{context.path}.engine.speculative_config",
            reason="is not supported by the V0 engine, which this GPU or an engine argument needs",
            remedy="Use an L4 or a newer GPU",
            rule="speculative-v0",
            candidates=(
                leave_out(f"{context.path}.engine.speculative_config", "leave it out"),
                *other_pools(context.spec, context.choice, context.choices, context.offer),
            ),
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_draft_model(method: object, draft: object) -> bool:
    """Whether vLLM would load the draft as an ordinary model: stated so, or known as one."""
    if method is not None:
        return method == "draft_model"
    return isinstance(draft, str) and draft in {row.source for row in llms().values()}
