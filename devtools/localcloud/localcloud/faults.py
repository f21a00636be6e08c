"""Faults on demand: make calls to the local cloud fail or wait.

`RAY_LLM_LOCALCLOUD_FAULTS` holds a JSON list of rules. A rule applies to a call
that matches everything it names:

    operation  create (default), update or delete
    provider   gcp or kubernetes (default: both)
    type       the resource's type token, for example gcp:container/nodePool:NodePool
    name       the resource's name in the program
    nth        only the n-th such call of this pulumi command, from 1

Its effect is `fail` (the message of the error) or `sleep` (seconds). `when` is
`before` (default: nothing has happened yet) or `after` (the cloud has made the
change, but the engine does not know yet).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from localcloud.store import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAULTS_VARIABLE = "RAY_LLM_LOCALCLOUD_FAULTS"


class InjectedFaultError(Exception):
    """The error that a rule asked for."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule; see the module's docstring."""

    operation: Literal["create", "update", "delete"] = "create"
    provider: str | None = None
    type: str | None = None
    name: str | None = None
    nth: int | None = None
    fail: str | None = None
    sleep: float = 0.0
    when: Literal["before", "after"] = "before"

    def matches(self, call: dict[str, Any]) -> bool:
        """Whether the rule applies to the call of a journal entry."""
        return call["phase"] == "begin" and all(
            wanted is None or wanted == call[key]
            for key, wanted in (
                ("operation", self.operation),
                ("provider", self.provider),
                ("type", self.type),
                ("name", self.name),
            )
        )


def faults_from_environment() -> list[Fault]:
    """The rules of this process. A malformed list is an error."""
    text = os.environ.get(FAULTS_VARIABLE)
    if not text:
        return []
    try:
        return [Fault(**rule) for rule in json.loads(text)]
    except (TypeError, ValueError) as error:
        msg = f"{FAULTS_VARIABLE} is not a list of fault rules: {error}"
        raise ValueError(msg) from error


@contextlib.contextmanager
def recorded(
    home: Path, provider: str, operation: str, type_: str, name: str
) -> Iterator[dict[str, Any]]:
    """Journal a call around its body and apply the rules before and after it.

    The body may add to the yielded entry (an `id`); it is written at the end.
    """
    journal = Journal(home)
    call = {"provider": provider, "operation": operation, "type": type_, "name": name}
    calls = journal.append({**call, "phase": "begin"})
    rules = []
    for rule in faults_from_environment():
        earlier = [c for c in calls if rule.matches(c)]
        if rule.matches({**call, "phase": "begin"}) and rule.nth in (None, len(earlier)):
            rules.append(rule)
    extra: dict[str, Any] = {}
    try:
        _apply(rules, "before")
        yield extra
        _apply(rules, "after")
    except Exception:
        journal.append({**call, **extra, "phase": "failed"})
        raise
    journal.append({**call, **extra, "phase": "done"})


def _apply(rules: list[Fault], when: str) -> None:
    for rule in rules:
        if rule.when == when:
            time.sleep(rule.sleep)
            if rule.fail is not None:
                raise InjectedFaultError(rule.fail)
