"""What an edit of the way in does: who gets in, from where, and what they are asked for."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.access import Exposure
from models.problems import Problem
from rollouts.sentence import Sentence, listed

AccessFields = Mapping[str, Any]
"""What is remembered of the way in; empty without a gateway. No value of a key is part of it.

exposure, host, certificate, securityPolicy, maxBodyMib: as in the stack file. keys: by team, its
`models` and `requestsPerMinute`. canaries: by served name, `of` and `percent`. models: all names.
"""

_NAMED = 5


def access_sentences(old: AccessFields, new: AccessFields) -> tuple[Sentence, ...]:
    """What a change does, one sentence each; old, new: as far as they are known."""
    if not old or not new:
        return tuple(_comes_or_goes(old, new))
    return (*_exposure(old, new), *_keys(old, new), *_canaries(old, new), *_body(old, new))


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


def _comes_or_goes(old: AccessFields, new: AccessFields) -> Iterator[Sentence]:
    if new:
        yield Sentence(
            "A gateway comes before the models. Once it answers, only it, the smoke test and the "
            "monitoring reach the models directly; other pods of the cluster no longer do.",
            warns=True,
        )
    elif old:
        yield Sentence(
            "The gateway goes, and its address and keys with it: every pod of the cluster reaches "
            "the models directly again, without a key.",
            warns=True,
        )


def _exposure(old: AccessFields, new: AccessFields) -> Iterator[Sentence]:
    before, after = old.get("exposure"), new.get("exposure")
    if before != after:
        who = {
            Exposure.NONE.value: "pods of this cluster",
            Exposure.INTERNAL.value: "whoever is in the VPC network",
            Exposure.EXTERNAL.value: "the internet",
        }.get(str(after), str(after))
        wider = _order(after) > _order(before)
        more = "" if wider else " and nobody else; its address of before answers no more"
        yield Sentence(
            f"The gateway's exposure goes from {before} to {after}, so {who} can reach it{more}.",
            warns=True,
        )
    else:
        for key in ("host", "certificate"):
            if old.get(key) != new.get(key):
                yield Sentence(
                    f"The gateway's {key} becomes {new.get(key)}, and {old.get(key)} goes.",
                    warns=True,
                )
    was, policy = old.get("securityPolicy"), new.get("securityPolicy")
    if policy and was != policy:
        yield Sentence(f"Cloud Armor's policy {policy} filters the requests.", warns=False)
    elif was != policy:
        yield Sentence(f"Cloud Armor's policy {was} no longer filters the requests.", warns=True)


def _keys(old: AccessFields, new: AccessFields) -> Iterator[Sentence]:
    before, after = _mapping(old.get("keys")), _mapping(new.get("keys"))
    added = [team for team in after if team not in before]
    removed = [team for team in before if team not in after]
    if added:
        yield Sentence(f"{_count(added)} added.", warns=False)
        if not before:
            yield Sentence("From now on a request needs a key.", warns=True)
    if removed and after:
        yield Sentence(f"{_count(removed)} removed, and requests with it get 401.", warns=True)
    elif removed:
        yield Sentence(
            f"{_count(removed)} removed. No key is left, so that whoever reaches the gateway may "
            "ask every model.",
            warns=True,
        )
    for team in (team for team in after if team in before):
        was, now = before[team], after[team]
        if was.get("requestsPerMinute") != now.get("requestsPerMinute"):
            yield Sentence(
                f"The limit of {team} goes from {_limit(was)} to {_limit(now)} requests a minute.",
                warns=False,
            )
        if was.get("models") != now.get("models"):
            yield Sentence(
                f"The key {team} may ask {_models(now)} instead of {_models(was)}.",
                warns=now.get("models") is not None,
            )


def _canaries(old: AccessFields, new: AccessFields) -> Iterator[Sentence]:
    before, after = _mapping(old.get("canaries")), _mapping(new.get("canaries"))
    for name, canary in after.items():
        if before.get(name) != canary:
            yield Sentence(
                f"Canary {name} gets {_number(canary.get('percent'))} % of the requests for "
                f"{canary.get('of')}{_was(before.get(name))}.",
                warns=False,
            )
    for name, canary in before.items():
        if name not in after:
            yield Sentence(
                f"Canary {name} gets no more requests for {canary.get('of')}.", warns=False
            )


def _body(old: AccessFields, new: AccessFields) -> Iterator[Sentence]:
    before, after = old.get("maxBodyMib"), new.get("maxBodyMib")
    if before != after and before is not None:
        yield Sentence(
            f"The largest body goes from {_number(before)} to {_number(after)} MiB, for which the "
            "gateway's pods are replaced one after the other.",
            warns=False,
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _order(exposure: object) -> int:
    known = [item.value for item in Exposure]
    return known.index(str(exposure)) if exposure in known else 0


def _count(teams: list[str]) -> str:
    one = len(teams) == 1
    return f"The key{'' if one else 's'} {listed(teams, _NAMED)} {'is' if one else 'are'}"


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
