"""From raw configuration values to `StackSettings`, with every problem of form found at once.

A broken entry of a list is left out and reported, and the rest is still read, so that planning
can report what is wrong with the others in the same preview.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from models.problems import Problem
from models.quotas_and_prices import amount, read_quotas, read_scalar, share, unknown_price_keys
from models.spelling import nearest
from models.stack import (
    ClusterSettings,
    Defaults,
    GpuPoolSettings,
    KubeRaySettings,
    ModelDeployment,
    PriceSettings,
    ServiceSettings,
    Settings,
    StackSettings,
    Versions,
)
from models.stack_keys import KEYS, SECTIONS, TOKEN_KEY
from models.unknown_keys import unknown_key
from models.validation import keys_of, not_a, validated

NAMESPACE: Final = "ray-llm"
DEFAULT_POOLS: Final = ("t4", "l4", "l4-x2", "a100-80gb-x2")
Entry = TypeVar("Entry", bound=Settings)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What could be read of a stack, and what could not.

    settings: None where there is nothing to read. Where project, region or cluster could not be
    read, that is a problem and no plan comes of it, but the rest is there to be checked: the
    region is then empty, and rules about zones say nothing.
    model_indexes: the place in the file of each entry of `settings.models`.
    pool_indexes: the same for `settings.gpu_pools`; empty where the file lists no pools.
    pools_complete: False where a pool was left out, so that its absence proves nothing.
    directory: where paths in the stack file start.
    """

    origin: str
    settings: StackSettings | None
    problems: tuple[Problem, ...]
    model_indexes: tuple[int, ...]
    pool_indexes: tuple[int, ...]
    pools_complete: bool
    directory: Path


def read_stack(
    stack: str,
    values: Mapping[str, Any],
    secret_keys: frozenset[str] = frozenset(),
    directory: Path = Path(),
) -> Reading:
    """Reads the configuration of one stack.

    values: by full key (`ray-llm:models`, `gcp:project`), parsed, no JSON text.
    secret_keys: the full keys whose values are encrypted; only the token may be one of them.
    Never raises for bad values: they become `problems`.
    """
    origin = f"Pulumi.{stack}.yaml"
    ours = {
        key.removeprefix(f"{NAMESPACE}:"): value
        for key, value in values.items()
        if key.startswith(f"{NAMESPACE}:")
    }
    if not ours:
        problem = Problem(
            path=NAMESPACE,
            reason="the stack file has no such section",
            remedy="Add ray-llm:cluster and ray-llm:models; README.md explains both",
            rule="stack-empty",
        )
        return Reading(
            origin=origin,
            settings=None,
            problems=(problem,),
            model_indexes=(),
            pool_indexes=(),
            pools_complete=False,
            directory=directory,
        )
    problems: list[Problem] = [*_unknown_keys(ours), *_misspelt_namespaces(values)]
    problems += _misplaced_secrets(ours, secret_keys)
    has_token = TOKEN_KEY in ours
    problems += _token_problems(ours, secret_keys)
    readable = {
        key: value for key, value in ours.items() if f"{NAMESPACE}:{key}" not in secret_keys
    }

    project = _text(values, "gcp:project", "the Google Cloud project to deploy to", problems)
    region = _text(values, "gcp:region", "the region, us-central1 for instance", problems)
    sections: dict[str, Any] = {}
    for key, section in SECTIONS.items():
        if key not in readable:
            continue
        read = _section(section, readable[key], f"{NAMESPACE}:{key}", problems)
        if read is not None:
            sections[key] = read
    if "cluster" not in ours:
        problems.append(
            Problem(
                path=f"{NAMESPACE}:cluster",
                reason="is missing",
                remedy="Give the cluster's name and zones: {name: llm-dev, zones: [us-central1-a]}",
                rule="missing-key",
            )
        )
    pools, pool_indexes, pools_complete = _entries(
        GpuPoolSettings, "tier", readable.get("gpuPools", list(DEFAULT_POOLS)), "gpuPools", problems
    )
    models: tuple[ModelDeployment, ...] = ()
    model_indexes: tuple[int, ...] = ()
    if "models" in readable:
        models, model_indexes, _ = _entries(
            ModelDeployment, "model", readable["models"], "models", problems
        )
    elif "models" not in ours:
        problems.append(
            Problem(
                path=f"{NAMESPACE}:models",
                reason="is missing",
                remedy="List the models to serve, one name of the catalogue a line at least",
                rule="missing-key",
            )
        )
    figures = _figures(readable, problems)
    settings = StackSettings.model_construct(
        stack=stack,
        project=project or "",
        region=(region or "") if "cluster" in sections else "",
        cluster=sections.get("cluster") or ClusterSettings.model_construct(name="", zones=()),
        has_hugging_face_token=has_token,
        gpu_pools=pools,
        models=models,
        defaults=sections.get("defaults", Defaults()),
        versions=sections.get("versions", Versions()),
        kube_ray=sections.get("kubeRay", KubeRaySettings()),
        service=sections.get("service", ServiceSettings()),
        accept=_accepted(readable.get("accept", []), f"{NAMESPACE}:accept", problems),
        **figures,
    )
    return Reading(
        origin=origin,
        settings=settings,
        problems=tuple(problems),
        model_indexes=model_indexes,
        pool_indexes=pool_indexes if "gpuPools" in ours else (),
        pools_complete=pools_complete,
        directory=directory,
    )


def reading_of(settings: StackSettings, directory: Path = Path()) -> Reading:
    """A reading of settings that a program made itself, for callers without a stack file."""
    return Reading(
        origin=f"stack {settings.stack}",
        settings=settings,
        problems=(),
        model_indexes=tuple(range(len(settings.models))),
        pool_indexes=tuple(range(len(settings.gpu_pools))),
        pools_complete=True,
        directory=directory,
    )


def _unknown_keys(ours: Mapping[str, Any]) -> Iterable[Problem]:
    for key, value in ours.items():
        if key not in KEYS:
            reason = "is not a key of this program"
            yield unknown_key(f"{NAMESPACE}:{key}", key, KEYS, value, reason)


def _misspelt_namespaces(values: Mapping[str, Any]) -> Iterable[Problem]:
    """A misspelt namespace would make its key pass for some other program's."""
    for key in values:
        namespace, _, name = key.partition(":")
        if namespace != NAMESPACE and nearest(namespace, [NAMESPACE]):
            yield Problem(
                path=key,
                reason="is not a key of this program",
                remedy=f"Did you mean {NAMESPACE}:{name}?",
                rule="unknown-key",
            )


def _misplaced_secrets(ours: Mapping[str, Any], secret_keys: frozenset[str]) -> Iterable[Problem]:
    for key in ours:
        if key in KEYS and key != TOKEN_KEY and f"{NAMESPACE}:{key}" in secret_keys:
            yield Problem(
                path=f"{NAMESPACE}:{key}",
                reason="is or holds an encrypted value, and the plan shows this section in plain",
                remedy=f"Keep secrets in {NAMESPACE}:{TOKEN_KEY} only",
                rule="misplaced-secret",
            )


def _token_problems(ours: Mapping[str, Any], secret_keys: frozenset[str]) -> Iterable[Problem]:
    if TOKEN_KEY not in ours:
        return
    remedy = f"Run `pulumi config set --secret {NAMESPACE}:{TOKEN_KEY}` and paste the token there"
    if f"{NAMESPACE}:{TOKEN_KEY}" in secret_keys:
        return
    if ours[TOKEN_KEY] in (None, ""):
        yield Problem(
            path=f"{NAMESPACE}:{TOKEN_KEY}",
            reason="is empty",
            remedy=f"{remedy}, or leave the key out where no model is gated",
            rule="missing-key",
        )
    else:
        yield Problem(
            path=f"{NAMESPACE}:{TOKEN_KEY}",
            reason="stands in plain text in the stack file",
            remedy=f"{remedy}; revoke the one that was written down",
            rule="plain-token",
        )


def _text(values: Mapping[str, Any], key: str, what: str, problems: list[Problem]) -> str | None:
    value = values.get(key)
    if isinstance(value, str) and value.strip():
        return value.strip()
    problems.append(
        Problem(
            path=key,
            value=value,
            reason="is missing" if value is None else "is not a text",
            remedy=f"Set it to {what}",
            rule="missing-key" if value is None else "wrong-type",
        )
    )
    return None


def _section(
    section: type[Settings], value: object, path: str, problems: list[Problem]
) -> Settings | None:
    if not isinstance(value, Mapping):
        problems.append(
            not_a(value, path, "a mapping of keys", f"Keys: {', '.join(keys_of(section))}")
        )
        return None
    read, found = validated(section, value, path)
    problems += found
    return read


def _accepted(value: object, path: str, problems: list[Problem]) -> tuple[str, ...]:
    """The rules in an `accept` list."""
    remedy = "List ids of rules as the warnings and docs/rules name them"
    if not isinstance(value, list | tuple):
        problems.append(not_a(value, path, "a list", remedy))
        return ()
    for index, rule in enumerate(value):
        if not isinstance(rule, str):
            problems.append(not_a(rule, f"{path}[{index}]", "the id of a rule", remedy))
    return tuple(rule for rule in value if isinstance(rule, str))


def _figures(readable: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """What the file says of money and quota, by field of StackSettings."""
    figures: dict[str, Any] = {}
    if "quotas" in readable:
        figures["quotas"], found = read_quotas(readable["quotas"], f"{NAMESPACE}:quotas")
        problems += found
    if "prices" in readable:
        figures["prices"] = _prices(readable["prices"], f"{NAMESPACE}:prices", problems)
    for key, field, read in (
        ("monthlyBudget", "monthly_budget", amount),
        ("loadFactor", "load_factor", share),
    ):
        if key in readable:
            number, found = read_scalar(read, readable[key], f"{NAMESPACE}:{key}")
            problems += found
            figures |= {} if number is None else {field: number}
    return figures


def _prices(value: object, path: str, problems: list[Problem]) -> dict[str, Settings]:
    if not isinstance(value, Mapping):
        remedy = "Write `l4: {onDemand: 0.95, spot: 0.35}` lines"
        problems.append(not_a(value, path, "a mapping of keys", remedy))
        return {}
    unknown = tuple(unknown_price_keys(value, path))
    problems += unknown
    read = {
        key: _section(PriceSettings, row, f"{path}.{key}", problems) for key, row in value.items()
    }
    return {key: row for key, row in read.items() if row is not None}


def _entries(
    kind: type[Entry], shorthand: str, value: object, key: str, problems: list[Problem]
) -> tuple[tuple[Entry, ...], tuple[int, ...], bool]:
    """The readable entries of a list, their indexes in the file, and whether all were readable."""
    path = f"{NAMESPACE}:{key}"
    if not isinstance(value, list | tuple):
        problems.append(not_a(value, path, "a list", "Write one `- ...` line an entry"))
        return (), (), False
    if not value:
        problems.append(
            Problem(
                path=path,
                value="[]",
                reason="is empty, so there would be nothing to serve"
                if key == "models"
                else "is empty, so no model could run anywhere",
                remedy="List at least one model of the catalogue, such as - qwen2.5-0.5b-instruct"
                if key == "models"
                else f"List at least one tier, or leave {key} out for {', '.join(DEFAULT_POOLS)}",
                rule="empty-list",
            )
        )
        return (), (), False
    entries: list[Entry] = []
    indexes: list[int] = []
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        fields = {shorthand: item} if isinstance(item, str) else item
        if not isinstance(fields, Mapping):
            remedy = f"Write a name, or keys such as {shorthand}"
            problems.append(not_a(item, where, "a name or a mapping", remedy))
            continue
        entry, found = validated(kind, fields, where)
        problems += found
        if entry is not None:
            entries.append(entry)
            indexes.append(index)
    return tuple(entries), tuple(indexes), len(entries) == len(value)
