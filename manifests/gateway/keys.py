"""Writes who may ask: the file of the keys, and the file of the models that each team may ask.

Both are policies of Envoy's RBAC filter, one a team. The first filter knows the keys and runs
before the body is read. The second one knows no key: it takes the team from the first one and the
model from the body. A team that is not in both files is refused, whichever changes first.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from manifests.gateway import metadata
from manifests.gateway.paths import API_PATHS, MODELS_PATH
from manifests.gateway.places import READY_PATH
from manifests.gateway.typed import resources, typed
from planning import AccessPlan, Plan

KEYS: Final = "keys"
MODEL_RULES: Final = "model-rules"
# No team has these names, because they begin with '-'.
READY_POLICY: Final = "-ready"
EVERYONE: Final = "-everyone"

_ANY: Final[Mapping[str, Any]] = {"any": True}


def keys_file(access: AccessPlan, values: Mapping[str, str]) -> str:
    """The text of the keys' file, which is secret.

    values: the keys, by team. KeyError if a team of the plan has none.
    """
    return _filter_file(
        KEYS,
        {
            key.team: {
                "permissions": [_ANY],
                "principals": [
                    {
                        "header": {
                            "name": "authorization",
                            "string_match": {"exact": f"Bearer {values[key.team]}"},
                        }
                    }
                ],
            }
            for key in access.keys
        },
    )


def model_rules_file(plan: Plan, access: AccessPlan) -> str:
    """The text of the file that says which models each team may ask."""
    adapters = {model.name for model in plan.models if model.lora_path is not None}
    return _filter_file(
        MODEL_RULES,
        {
            key.team: {
                "permissions": [_ANY]
                if key.models is None
                else [_may_ask(key.models, adapters.intersection(key.models))],
                "principals": [
                    {
                        "sourced_metadata": {
                            "metadata_matcher": metadata.team(metadata.exactly(key.team))
                        }
                    }
                ],
            }
            for key in access.keys
        },
        # Keeps what the first filter noted of the team.
        rules_stat_prefix="models_",
    )


def _filter_file(name: str, policies: dict[str, Any], **options: Any) -> str:
    # A filter without policies lets nobody in, so a stack without keys has one for everybody.
    policies = policies or {EVERYONE: {"permissions": [_ANY], "principals": [_ANY]}}
    ready = {"permissions": [_path({"exact": READY_PATH})], "principals": [_ANY]}
    return resources(
        typed(
            "config.core.v3.TypedExtensionConfig",
            name=name,
            typed_config=typed(
                "extensions.filters.http.rbac.v3.RBAC",
                rules={"action": "ALLOW", "policies": {READY_POLICY: ready, **policies}},
                track_per_rule_stats=True,
                **options,
            ),
        )
    )


def _may_ask(models: Sequence[str], with_adapters: set[str]) -> dict[str, Any]:
    """Lets pass what names one of the models, or no model and so reaches none.

    Below a model's own route the path decides. The body may then name no other model.
    """
    nameless = {"not_rule": {"sourced_metadata": _body_model(metadata.PRESENT)}}
    named = {
        model: [
            {"sourced_metadata": _body_model(metadata.exactly(model))},
            *(
                [{"sourced_metadata": _body_model(metadata.starting_with(f"{model}:"))}]
                if model in with_adapters
                else []
            ),
        ]
        for model in models
    }
    asks = [rule for model in models for rule in named[model]]
    return _any_of(
        [
            _all_of(
                [
                    _any_of([_path({"exact": path}) for path in API_PATHS]),
                    _any_of([nameless, *asks]),
                ]
            ),
            _path({"exact": MODELS_PATH}),
            _path({"prefix": f"{MODELS_PATH}/"}),
            *(
                _all_of([_path({"prefix": f"/{model}/"}), _any_of([nameless, *named[model]])])
                for model in models
            ),
        ]
    )


def _body_model(value: dict[str, Any]) -> dict[str, Any]:
    return {"metadata_matcher": metadata.model(value)}


def _path(match: dict[str, Any]) -> dict[str, Any]:
    return {"url_path": {"path": match}}


def _any_of(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"or_rules": {"rules": rules}}


def _all_of(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"and_rules": {"rules": rules}}
