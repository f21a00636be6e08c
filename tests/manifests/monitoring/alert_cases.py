"""For each alert a case in which it fires, and one beside it in which it stays quiet.

Values are in promtool's notation: `0+60x30` is 0, then 30 times 60 more; a sample a minute.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.manifests.monitoring.stacks import APPLICATION, DEPLOYMENT, MODEL


@dataclass(frozen=True)
class Sample:
    """A series by the catalogue's key, its labels, and its values a minute apart."""

    metric: str
    values: str
    labels: dict[str, str] = field(default_factory=dict)
    suffix: Any = ""


@dataclass(frozen=True)
class Case:
    """What is scraped, and what then fires or does not.

    at: when it is looked at.
    about: of the alert that fires; None if none of that name does.
    recorded: values of the recorded cost, in place of what the rules record of `samples`.
    """

    alert: str
    name: str
    at: str
    samples: tuple[Sample, ...]
    about: dict[str, str] | None
    recorded: str | None = None


_OF_MODEL = {"model": MODEL}
_OK = {"application": APPLICATION, "route": f"/{MODEL}", "status_code": "200"}
_BAD = {**_OK, "status_code": "500"}
_FAILED = {"application": APPLICATION, "route": f"/{MODEL}", "error_code": "500"}
_REFUSED = {**_FAILED, "error_code": "429"}
_SERVED = {"application": APPLICATION, "deployment": DEPLOYMENT}
_ENGINE = {"model_name": MODEL}
_SLEEPER = {"application": "sleeper-0123abcd", "deployment": "LLMServer:sleeper"}


def _replica(name: str) -> dict[str, str]:
    return {**_SERVED, "replica": name}


def _first_tokens(within: str, all_of_them: str) -> tuple[Sample, ...]:
    """First tokens a minute within 2 s, and altogether; the slow ones within 4 s."""
    return tuple(
        Sample("first_token", values, {**_ENGINE, "le": le}, "_bucket")
        for le, values in (("2", within), ("4", all_of_them), ("+Inf", all_of_them))
    )


def _queue(waiting: str, healthy: int) -> tuple[Sample, ...]:
    return (
        Sample("waiting", waiting, _ENGINE),
        *(Sample("replicas_healthy", "1x40", _replica(f"r{index}")) for index in range(healthy)),
    )


def _pool(pool: str, active: str, pending: str) -> tuple[Sample, ...]:
    return (
        Sample("nodes_active", active, {"NodeType": pool}),
        Sample("nodes_pending", pending, {"NodeType": pool}),
    )


CASES: tuple[Case, ...] = (
    Case(
        "ModelDoesNotAnswer",
        "all requests fail",
        "10m",
        (Sample("requests", "0+5x20", _BAD),),
        _OF_MODEL,
    ),
    Case(
        "ModelDoesNotAnswer",
        "one in ten is answered",
        "10m",
        (Sample("requests", "0+9x20", _BAD), Sample("requests", "0+1x20", _OK)),
        None,
    ),
    Case(
        "ModelHasNoReplica",
        "the only replica has been gone for 21 minutes",
        "32m",
        (Sample("replicas_healthy", "1x10 0x40", _replica("a")),),
        _OF_MODEL,
    ),
    Case(
        "ModelHasNoReplica",
        "the only replica has been gone for 19 minutes",
        "30m",
        (Sample("replicas_healthy", "1x10 0x40", _replica("a")),),
        None,
    ),
    Case(
        "ModelHasNoReplica",
        "a request waits for a model that sleeps",
        "30m",
        (
            Sample("queued", "1x40", _SLEEPER),
            Sample("replicas_healthy", "1x40", _replica("a")),
        ),
        {"model": "sleeper"},
    ),
    Case(
        "ModelHasNoReplica",
        "a model sleeps, and nobody asks it",
        "30m",
        (
            Sample("queued", "0x40", _SLEEPER),
            Sample("replicas_healthy", "1x40", _replica("a")),
        ),
        None,
    ),
    Case(
        "ModelAnswersWithErrors",
        "2 % fail",
        "30m",
        (Sample("requests", "0+100x40", _OK), Sample("errors", "0+2x40", _FAILED)),
        _OF_MODEL,
    ),
    Case(
        "ModelAnswersWithErrors",
        "0.9 % fail, and a third is refused",
        "30m",
        (
            Sample("requests", "0+1000x40", _OK),
            Sample("errors", "0+9x40", _FAILED),
            Sample("errors", "0+333x40", _REFUSED),
        ),
        None,
    ),
    Case(
        "FirstTokenIsSlow",
        "6 % begin later than promised",
        "40m",
        _first_tokens("0+94x60", "0+100x60"),
        _OF_MODEL,
    ),
    Case(
        "FirstTokenIsSlow",
        "4 % begin later than promised",
        "40m",
        _first_tokens("0+96x60", "0+100x60"),
        None,
    ),
    Case(
        "QueueGrowsAtMaximum",
        "it grows, and all replicas run",
        "15m",
        _queue("1+3x40", healthy=2),
        _OF_MODEL,
    ),
    Case(
        "QueueGrowsAtMaximum",
        "it grows, and one more replica may start",
        "15m",
        _queue("1+3x40", healthy=1),
        None,
    ),
    Case(
        "QueueGrowsAtMaximum",
        "all replicas run, and it shrinks",
        "15m",
        _queue("200-3x40", healthy=2),
        None,
    ),
    Case(
        "ReplicaRestarts",
        "three have gone, one is there",
        "12m",
        (
            *(Sample("replica_starts", f"_x{at} 1 1", _replica(f"r{at}")) for at in (1, 3, 5)),
            Sample("replica_starts", "_x7 1x20", _replica("last")),
        ),
        _OF_MODEL,
    ),
    Case(
        "ReplicaRestarts",
        "a rollout has replaced both",
        "12m",
        (
            *(Sample("replica_starts", "1x5", _replica(name)) for name in ("a", "b")),
            *(Sample("replica_starts", "_x3 1x20", _replica(name)) for name in ("c", "d")),
        ),
        None,
    ),
    Case(
        "KvCacheIsFull",
        "it is full",
        "20m",
        (Sample("kv_cache", "0.99x40", _ENGINE),),
        _OF_MODEL,
    ),
    Case(
        "KvCacheIsFull",
        "it is full for moments",
        "20m",
        (Sample("kv_cache", " ".join(["0.7 0.7 0.99"] * 12), _ENGINE),),
        None,
    ),
    Case(
        "GpuNodeIsMissing",
        "one has been wanted for 16 minutes",
        "19m",
        _pool("l4", "1x40", "0x2 1x40"),
        {"pool": "l4"},
    ),
    Case(
        "GpuNodeIsMissing",
        "one has been wanted for 14 minutes",
        "17m",
        _pool("l4", "1x40", "0x2 1x40"),
        None,
    ),
    Case(
        "SpotNodesLeave",
        "one of three is gone, and no other comes",
        "30m",
        _pool("l4-spot", "3x10 2x40", "0x10 1x40"),
        {"pool": "l4-spot"},
    ),
    Case(
        "SpotNodesLeave",
        "one of three is not needed any more",
        "30m",
        _pool("l4-spot", "3x10 2x40", "0x50"),
        None,
    ),
    Case(
        "SpotNodesLeave",
        "another one comes in its place",
        "30m",
        _pool("l4-spot", "3x10 2x4 3x40", "0x10 1x4 0x40"),
        None,
    ),
    Case(
        "KeyIsAtItsLimit",
        "it asks 80 times a minute, and 60 are allowed",
        "20m",
        (
            Sample("key_requests", "0+80x40", {"team": "search"}),
            Sample("limited_requests", "0+20x40"),
        ),
        {"team": "search"},
    ),
    Case(
        "KeyIsAtItsLimit",
        "it asks 59 times a minute, while another is refused",
        "20m",
        (
            Sample("key_requests", "0+59x40", {"team": "search"}),
            Sample("limited_requests", "0+20x40"),
        ),
        None,
    ),
    Case(
        "KeyIsAtItsLimit",
        "it asks 80 times a minute, and what it had saved up lets all pass",
        "20m",
        (
            Sample("key_requests", "0+80x40", {"team": "search"}),
            Sample("limited_requests", "0x40"),
        ),
        None,
    ),
    Case(
        "TokenIsRefused",
        "the last check failed",
        "20m",
        (Sample("pod_phase", "1x40", {"pod": "token-check-29-x", "phase": "Failed"}),),
        {},
    ),
    Case(
        "TokenIsRefused",
        "the last check succeeded, and another pod failed",
        "20m",
        (
            Sample("pod_phase", "0x40", {"pod": "token-check-29-x", "phase": "Failed"}),
            Sample("pod_phase", "1x40", {"pod": "token-check-29-x", "phase": "Succeeded"}),
            Sample("pod_phase", "1x40", {"pod": "smoke-test-x", "phase": "Failed"}),
        ),
        None,
    ),
    # 4.2 USD an hour are 3,066 a month, 4.1 are 2,993; the budget is 3,000.
    Case("BudgetWillNotLast", "4.2 USD an hour", "3h", (), {}, recorded="4.2x400"),
    Case("BudgetWillNotLast", "4.1 USD an hour", "3h", (), None, recorded="4.1x400"),
)
