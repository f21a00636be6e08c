"""The way in, in sentences: what a plan says of it, and what changes for those who ask.

From the plans' data alone, in which there are no keys.
"""

from collections.abc import Iterator
from typing import Final

from reports.plan_data import AccessSummary, CanarySummary, KeySummary, PlanSummary
from rollouts import AccessFields, access_sentences

_FROM: Final = {
    "none": "from inside the cluster",
    "internal": "from the VPC network",
    "external": "from the internet",
}
_PATHS: Final = "all models answer at one URL"


def way_in_sentences(plan: PlanSummary) -> tuple[str, ...]:
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
    return tuple(said.text for said in access_sentences(_fields(old), _fields(new)))


def _fields(plan: PlanSummary) -> AccessFields:
    access = plan.get("access")
    if access is None:
        return {}
    return {
        **{key: access[key] for key in ("exposure", "host", "certificate", "securityPolicy")},
        "maxBodyMib": access["gateway"]["maxBodyMib"],
        "keys": {key["team"]: key for key in access["keys"]},
        "canaries": {canary["model"]: canary for canary in access["canaries"]},
    }
