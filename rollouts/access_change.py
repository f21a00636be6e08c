"""What an edit of the way in does: who gets in, from where, and what they are asked for."""

from collections.abc import Mapping
from typing import Any

from models.access import Exposure
from models.problems import Problem
from rollouts.sentence import Sentence, listed

AccessFields = Mapping[str, Any]
"""What is remembered of the way in; no value of a key is part of it.

exposure, host, certificate, securityPolicy, maxBodyMib: as in the stack file. keys: by team, its
`models` and `requestsPerMinute`. canaries: by served name, `of` and `percent`. models: all names.
"""

_NAMED = 5


def access_sentence(old: AccessFields, new: AccessFields) -> Sentence | None:
    """What a change does; None if there is none.

    old, new: `AccessFields`, as far as they are known.
    """
    said = [*_exposure(old, new), *_keys(old, new), *_canaries(old, new), *_body(old, new)]
    if not said:
        return None
    return Sentence(
        "The gateway: " + " ".join(text for text, _ in said), warns=any(warns for _, warns in said)
    )


def canary_problem(old: AccessFields, new: AccessFields) -> Problem | None:
    """What stops an edit that takes away a model which the gateway still asks as a canary.

    The gateway learns of its routes after the models have changed. Until then a share of the
    requests to the other model would go to one that is gone.
    """
    models = new.get("models") or ()
    for name, canary in _mapping(old.get("canaries")).items():
        of = canary.get("of")
        if name not in models and of in models:
            return Problem(
                path="ray-llm:models",
                value=name,
                reason=f"is no model any more, but the gateway still sends it "
                f"{_number(canary.get('percent'))} % of the requests for {of}",
                remedy=f"Take canaryOf and percent away from {name} and run an `up`; then take the "
                "model away",
                rule="canary-removed",
            )
    return None


Said = tuple[str, bool]


def _exposure(old: AccessFields, new: AccessFields) -> list[Said]:
    said: list[Said] = []
    before, after = old.get("exposure"), new.get("exposure")
    if before != after:
        wider = _order(after) > _order(before)
        who = {
            Exposure.NONE.value: "pods of this cluster",
            Exposure.INTERNAL.value: "whoever is in the VPC network",
            Exposure.EXTERNAL.value: "the internet",
        }.get(str(after), str(after))
        said.append(
            (
                f"its exposure goes from {before} to {after}, so {who} can reach it"
                f"{'' if wider else ' and nobody else; its address of before answers no more'}.",
                True,
            )
        )
    if old.get("host") != new.get("host") and before == after:
        said.append((f"its host becomes {new.get('host')}, and {old.get('host')} goes.", True))
    if old.get("certificate") != new.get("certificate") and before == after:
        said.append(
            (
                f"its certificate is {new.get('certificate')} and no longer "
                f"{old.get('certificate')}.",
                True,
            )
        )
    if old.get("securityPolicy") != new.get("securityPolicy"):
        policy = new.get("securityPolicy")
        said.append(
            (
                f"Cloud Armor's policy {policy} filters its requests."
                if policy
                else f"Cloud Armor's policy {old.get('securityPolicy')} no longer filters.",
                not policy,
            )
        )
    return said


def _keys(old: AccessFields, new: AccessFields) -> list[Said]:
    before, after = _mapping(old.get("keys")), _mapping(new.get("keys"))
    said: list[Said] = []
    if added := [team for team in after if team not in before]:
        said.append((f"{_count('key', added)} added.", False))
    if removed := [team for team in before if team not in after]:
        said.append((f"{_count('key', removed)} removed, and requests with it get 401.", True))
    if not after and before:
        said.append(("no key is left, so that everybody who reaches it may ask.", True))
    for team in (team for team in after if team in before):
        was, now = before[team], after[team]
        if was.get("requestsPerMinute") != now.get("requestsPerMinute"):
            said.append(
                (
                    f"the limit of {team} goes from {_limit(was)} to {_limit(now)} requests a "
                    "minute.",
                    False,
                )
            )
        if was.get("models") != now.get("models"):
            said.append((f"{team} may ask {_models(now)}, and no longer {_models(was)}.", True))
    return said


def _canaries(old: AccessFields, new: AccessFields) -> list[Said]:
    before, after = _mapping(old.get("canaries")), _mapping(new.get("canaries"))
    said: list[Said] = []
    for name, canary in after.items():
        if before.get(name) != canary:
            said.append(
                (
                    f"{name} gets {_number(canary.get('percent'))} % of the requests for "
                    f"{canary.get('of')}"
                    f"{_was(before.get(name))}.",
                    False,
                )
            )
    said += [
        (f"{name} gets no more requests for {canary.get('of')}.", False)
        for name, canary in before.items()
        if name not in after
    ]
    return said


def _body(old: AccessFields, new: AccessFields) -> list[Said]:
    before, after = old.get("maxBodyMib"), new.get("maxBodyMib")
    if before == after or before is None:
        return []
    return [
        (
            f"the largest body goes from {_number(before)} to {_number(after)} MiB, for which its "
            "pods are replaced one after the other.",
            False,
        )
    ]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _order(exposure: object) -> int:
    known = [item.value for item in Exposure]
    return known.index(str(exposure)) if exposure in known else 0


def _count(what: str, names: list[str]) -> str:
    verb = "is" if len(names) == 1 else "are"
    return f"the {what}{'' if len(names) == 1 else 's'} {listed(names, _NAMED)} {verb}"


def _limit(key: Mapping[str, Any]) -> str:
    limit = key.get("requestsPerMinute")
    return "any number of" if limit is None else _number(limit)


def _number(value: object) -> str:
    """A number as it was written: a state has all numbers as floating-point ones."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _models(key: Mapping[str, Any]) -> str:
    models = key.get("models")
    return "every model" if models is None else listed(list(models), _NAMED)


def _was(canary: Mapping[str, Any] | None) -> str:
    if canary is None:
        return ""
    return f" and no longer {_number(canary.get('percent'))} % of those for {canary.get('of')}"
