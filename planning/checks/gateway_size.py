"""Whether what the gateway follows fits into a ConfigMap: its routes, and who may ask which model.

Each list of models that a key may ask is written out twice, as what `GET /v1/models` answers and
as a rule, so that many keys with many models each grow beyond what Kubernetes stores.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from models.access import KeySettings
from models.problems import Problem
from planning.checks.contexts import StackContext
from planning.checks.kubernetes_object_size import CONFIG_MAP_LIMIT_BYTES
from planning.plan import ModelPlan

# Measured on what manifests/gateway writes (see the test of this module), in bytes: the files
# without models, a model's routes and cluster, an entry of a list of models, a rule and its entry.
_FILES: Final = 5_060
_MODEL: Final = 1_920
_MODEL_PER_LETTER: Final = 14
_ADAPTERS: Final = 710
_LISTED: Final = 520
_LISTED_PER_LETTER: Final = 3
_LISTED_FOR_TEAMS: Final = 165
_PER_TEAM: Final = 3
_RULE: Final = 820
_RULE_ENTRY: Final = 500
_RULE_ENTRY_PER_LETTER: Final = 4
_RULE_ADAPTERS: Final = 326
_LIMIT: Final = 185


def gateway_files_bytes(
    models: Sequence[ModelPlan], keys: Mapping[str, KeySettings], *, limited: bool = False
) -> int:
    """About the size of the files that the gateway follows; limited: whether all keys are."""
    size = _FILES + sum(
        _MODEL + _MODEL_PER_LETTER * len(model.name) + (_ADAPTERS if model.lora_path else 0)
        for model in models
    )
    every = tuple(model.name for model in models)
    adapters = {model.name for model in models if model.lora_path}
    views: dict[tuple[str, ...], int] = {} if keys else {every: 0}
    for team, key in keys.items():
        asked = every if key.models is None else tuple(sorted(set(key.models)))
        views[asked] = views.get(asked, _LISTED_FOR_TEAMS) + len(team) + _PER_TEAM
        size += _RULE
        if limited or key.requests_per_minute is not None:
            size += _LIMIT
        if key.models is not None:
            size += sum(
                _RULE_ENTRY
                + _RULE_ENTRY_PER_LETTER * len(name)
                + (_RULE_ADAPTERS if name in adapters else 0)
                for name in asked
            )
    return size + sum(
        _LISTED + _LISTED_PER_LETTER * len(name) + teams
        for names, teams in views.items()
        for name in ("", *names)
    )


def gateway_size_problems(context: StackContext) -> Iterable[Problem]:
    """A stop if Kubernetes would refuse the gateway's ConfigMap."""
    access = context.settings.access
    if access is None:
        return
    limited = access.limits.requests_per_minute is not None
    size = gateway_files_bytes(context.models, access.keys, limited=limited)
    if size > CONFIG_MAP_LIMIT_BYTES:
        entries = sum(len(key.models or ()) for key in access.keys.values())
        yield Problem(
            path="ray-llm:access.keys",
            value=f"{len(access.keys)} keys, {entries} entries under models",
            reason=f"make a ConfigMap of {size / 1024**2:.1f} MiB for the gateway, and Kubernetes "
            "refuses more than 1 MiB",
            remedy="Leave models out of keys that may ask most of them, give teams with the same "
            "models one key, or spread the models over several stacks",
            rule="config-map-size",
        )
