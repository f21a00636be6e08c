"""The way in, in sentences: what a plan says of it, and what changes for those who ask.

From the plans' data alone, in which there are no keys.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reports.plan_data import AccessSummary, CanarySummary, KeySummary, PlanSummary

_FROM: Final = {
    "none": "from inside the cluster",
    "internal": "from the VPC network",
    "external": "from the internet",
}
_PATHS: Final = "all models answer at one URL"


def access_sentences(plan: PlanSummary) -> tuple[str, ...]:
    """The gateway with its pods, the keys with what they may do, the canaries."""
    access = plan.get("access")
    return () if access is None else tuple(_sentences(access))


def _sentences(access: AccessSummary) -> Iterator[str]:
    gateway = access["gateway"]
    inside = " inside the cluster" if access["exposure"] == "internal" else ""
    yield (
        f"Gateway: {_PATHS}, {access['url']}{inside}, reached {_FROM[access['exposure']]}"
        f"{_tls(access)}; {gateway['replicas']} replicas of {gateway['memoryMib']} MiB for bodies "
        f"of at most {gateway['maxBodyMib']} MiB."
    )
    if access["keys"]:
        listed = "; ".join(f"{key['team']}: {_may(key)}" for key in access["keys"])
        yield f"Keys: {listed}."
    else:
        yield "Keys: none, so that whoever reaches the gateway may ask every model."
    for canary in access["canaries"]:
        yield f"Canary: {_canary(canary)}."


def _tls(access: AccessSummary) -> str:
    certificate = access.get("certificate")
    if certificate is None:
        return ""
    if certificate == "managed":
        return " with a certificate of Google's"
    return f" with the certificate of Secret {certificate}"


def _may(key: KeySummary) -> str:
    models, limit = key.get("models"), key.get("requestsPerMinute")
    of = "all models" if models is None else ", ".join(models)
    return of if limit is None else f"{of}, {limit:,} requests a minute"


def _canary(canary: CanarySummary) -> str:
    return f"{canary['model']} gets {canary['percent']} % of the requests for {canary['of']}"


def access_changes(old: PlanSummary | None, new: PlanSummary) -> tuple[str, ...]:
    """What changes for those who ask, one sentence each; of a new stack nothing changes."""
    if old is None:
        return ()
    before, after = old.get("access"), new.get("access")
    if before is None and after is not None:
        return ("A gateway is added, and the models' port is closed to all others.", *_all(after))
    if before is not None and after is None:
        return (
            "The gateway is removed with its keys: the models answer at their own routes to "
            "everybody in the cluster.",
        )
    if before is None or after is None:
        return ()
    return tuple(_changes(before, after))


def _all(access: AccessSummary) -> Iterable[str]:
    return _sentences(access)


def _changes(before: AccessSummary, after: AccessSummary) -> Iterator[str]:
    if before["exposure"] != after["exposure"]:
        yield (
            f"The gateway is reached {_FROM[after['exposure']]} instead of "
            f"{_FROM[before['exposure']]}."
        )
    if before["url"] != after["url"]:
        yield f"The gateway's URL is {after['url']} instead of {before['url']}."
    for key, what in (("certificate", "certificate"), ("securityPolicy", "Cloud Armor policy")):
        was, is_ = before.get(key), after.get(key)
        if was != is_:
            yield f"The gateway's {what} is {is_ or 'none'} instead of {was or 'none'}."
    size = "maxBodyMib"
    if before["gateway"][size] != after["gateway"][size]:
        yield (
            f"The largest body is {after['gateway'][size]} MiB instead of "
            f"{before['gateway'][size]} MiB, for which the gateway's pods are replaced one by one."
        )
    yield from _key_changes(before, after)
    yield from _canary_changes(before, after)


def _key_changes(before: AccessSummary, after: AccessSummary) -> Iterator[str]:
    old, new = _by(before["keys"], "team"), _by(after["keys"], "team")
    for team, key in new.items():
        if team not in old:
            yield f"The key of {team} is added: {_may(key)}."
        elif _may(old[team]) != _may(key):
            yield f"The key of {team} may ask {_may(key)} instead of {_may(old[team])}."
    for team in old:
        if team not in new:
            yield f"The key of {team} is revoked."
    if old and not new:
        yield "No key is left, so that whoever reaches the gateway may ask every model."
    if new and not old:
        yield "From now on a request needs a key."


def _canary_changes(before: AccessSummary, after: AccessSummary) -> Iterator[str]:
    old, new = _by(before["canaries"], "model"), _by(after["canaries"], "model")
    for model, canary in new.items():
        if model not in old:
            yield f"Canary {_canary(canary)}."
        elif old[model] != canary:
            yield f"Canary {_canary(canary)}, instead of {old[model]['percent']} % of " + (
                f"{old[model]['of']}'s."
            )
    for model, canary in old.items():
        if model not in new:
            yield f"Canary {model} gets no more requests for {canary['of']}."


def _by(rows: Iterable[Any], key: str) -> Mapping[str, Any]:
    return {row[key]: row for row in rows}
