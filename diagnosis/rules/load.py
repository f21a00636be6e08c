"""Everything well but slow: requests queue, or the KV cache is full."""

from collections.abc import Iterator
from typing import Final

from diagnosis.case import Case
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.replicas import replicas_of

_FULL: Final = 0.95


def load(case: Case) -> Iterator[Finding]:
    """Models whose engines say that requests wait."""
    for model in case.plan.models:
        loads = case.snapshot.loads.get(model.name, ())
        waiting = sum(item.waiting for item in loads)
        if not waiting:
            continue
        running = sum(item.running for item in loads)
        cache = max(item.cache for item in loads)
        there = sum(
            replica.state == "RUNNING"
            for replica in replicas_of(model.name, case.serve.get(model.name, {}))
        )
        most = model.replicas.max
        at_most = there >= most
        if cache >= _FULL:
            path, text = (
                f"{model.path}.replicas.max",
                f"Raise replicas.max above {most}, or set a shorter contextLength (now "
                f"{model.max_model_len}), or take a pool with more GPU memory.",
            )
        elif at_most:
            path, text = f"{model.path}.replicas.max", f"Raise replicas.max above {most}."
        else:
            path, text = (
                f"{model.path}.targetOngoingRequests",
                f"Wait for more replicas (up to {most}), or lower targetOngoingRequests (now "
                f"{model.replicas.target_ongoing_requests}), so that they come earlier.",
            )
        yield Finding(
            rule="cache-full" if cache >= _FULL else "queue",
            subject=f"model {model.name}",
            what=f"{waiting:.0f} requests wait in its engines: it answers, but slowly",
            why=f"{running:.0f} run on {there} of at most {most} replicas; the fullest KV cache is "
            f"{cache:.0%} used",
            gravity=Gravity.WRONG if at_most else Gravity.NOTE,
            mend=Mend(path=path, text=text),
        )
