"""What is checked on each release, in order: each check goes on from where the one before left.

A check returns what was seen, and whether that is as it must be. The stand-in engine says nothing
about vLLM, and one proxy is asked, the head's, which outlives replicas; pods, node autoscaling and
KubeRay are the subject of `make e2e`.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from scripts.ray_releases.handover import RUNNING_SECONDS, hand_over
from scripts.ray_releases.nodes import STANDINS, Nodes
from scripts.ray_releases.serve_api import Details, ServeApi, model_replicas, replicas, statuses
from scripts.ray_releases.smoke_test import smoke_test
from scripts.ray_releases.stack import EDITED, SLEEPING, SPLIT, Written, write
from scripts.ray_releases.traffic import Traffic, ask, say_hello

ASLEEP_SECONDS: Final = 20
"""How long a sleeping model is watched after the deployment."""
ZERO_SECONDS: Final = 240
"""Of a delay of 15 s; from 2.50 on Ray averages the load over half a minute more."""
FAILURE: Final = "CUDA error: out of memory (told to fail)"


@dataclass(frozen=True)
class Seen:
    """The outcome of one check."""

    name: str
    passed: bool
    seen: str


Outcome = tuple[bool, str]


class ReleaseCheck:
    """The checks of one release on its running nodes."""

    def __init__(self, nodes: Nodes, written: Written):
        self.nodes = nodes
        self.written = written
        self.release = written.plan.release.ray.ray
        self.ingress = written.plan.release.ray.ingress_class
        self.api = ServeApi(nodes.dashboard_url)
        self._edits = 0

    def run(self) -> Iterator[Seen]:
        """All checks; the rest is left out if the applications do not come up."""
        for name, check in CHECKS.items():
            try:
                passed, seen = check(self)
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                passed, seen = False, f"{type(error).__name__}: {error}"
            yield Seen(name, passed, seen)
            if not passed and check is ReleaseCheck.deployed:
                return

    def deployed(self) -> Outcome:
        """The config is accepted, and every application becomes RUNNING."""
        status, answer = self.api.deploy(self.written.serve_config)
        if status != 200:
            return False, f"PUT is answered {status}: {_short(answer)}"
        reached, _, details = self.api.wait(_all_running, RUNNING_SECONDS)
        running = sum(status == "RUNNING" for status in statuses(details).values())
        seen = f"{running} of {len(self.written.plan.models)} applications RUNNING"
        return reached, seen if reached else f"{seen}; {_messages(details)}"

    def placed(self) -> Outcome:
        """Ingresses are on router nodes only, models on their pool, two GPUs on one node."""
        details = self.api.applications()
        cluster: dict[str, Any] = self.nodes.run(STANDINS / "placement.py")
        held = cluster["nodes"]
        wrong = []
        for model in self.written.plan.models:
            for deployment, found in replicas(details, model.name).items():
                pool = "routers" if deployment == self.ingress else model.pool
                wrong += [
                    f"{deployment} of {model.name} is not on {pool}"
                    for node in found.values()
                    if pool not in held.get(node, {})
                ]
        split = [
            {node for node in group["nodes"] if node}
            for group in cluster["groups"]
            if sum(bundle.get("GPU", 0) for bundle in group["bundles"]) == 2
        ]
        if len(split) != 1 or len(split[0]) != 1:
            wrong.append(f"the two GPUs of {SPLIT} are on {sorted(map(len, split))} nodes")
        return not wrong, "; ".join(wrong) or "ingresses on routers, models on their pools"

    def asleep(self) -> Outcome:
        """A model with a minimum of zero is not woken by being deployed."""
        woken, _, _ = self.api.wait(
            lambda details: bool(model_replicas(details, SLEEPING, self.ingress)), ASLEEP_SECONDS
        )
        return not woken, "woken by being deployed" if woken else "stays at zero"

    def wakes(self) -> Outcome:
        """Its first request starts it, and is answered."""
        status, text = say_hello(self.nodes.serve_url, SLEEPING)
        details = self.api.applications()
        up = bool(model_replicas(details, SLEEPING, self.ingress))
        return status == 200 and up, f"first request answered {status}" + (
            "" if status == 200 else f": {_short(text)}"
        )

    def answers(self) -> Outcome:
        """The API of a model: list, chat, completion, stream, and an unknown model."""
        url = self.nodes.serve_url
        found = {
            "models": ask(url, EDITED, "models")[0],
            "chat": say_hello(url, EDITED)[0],
            "completion": ask(url, EDITED, "completions", prompt="hello")[0],
        }
        status, text = say_hello(url, EDITED, stream=True)
        found["stream"] = status if "data: [DONE]" in text else 0
        unknown, _ = ask(url, EDITED, messages=[{"role": "user", "content": "x"}], model="other")
        good = set(found.values()) == {200} and unknown == 404
        shown = ", ".join(f"{name} {code}" for name, code in found.items())
        return good, f"{shown}, unknown model {unknown}, [DONE] {text.count('[DONE]')}x"

    def edited(self) -> Outcome:
        """An edit of one model leaves the others' replicas, and no request of either is lost."""
        before = self.api.applications()
        kept = {name: replicas(before, name) for name in (SPLIT,)}
        old, self.written = self.written, self._edit()
        with Traffic(self.nodes.serve_url, (EDITED, SPLIT)) as traffic:
            time.sleep(2)
            reached = hand_over(self.api, old, self.written)
            time.sleep(5)
        after = self.api.applications()
        same = all(replicas(after, name) == found for name, found in kept.items())
        running = model_replicas(after, EDITED, self.ingress).keys()
        replaced = bool(running) and not (
            running & model_replicas(before, EDITED, self.ingress).keys()
        )
        seen = (
            f"{'other replicas kept' if same else 'other replicas REPLACED'}, "
            f"{'replaced' if replaced else 'the edited one NOT replaced'}, "
            f"others {traffic.seen(SPLIT)}, edited {traffic.seen(EDITED)}"
        )
        if traffic.reasons:
            seen += f" ({', '.join(traffic.reasons)})"
        return reached and same and replaced and not traffic.lost.total(), seen

    def sleeps(self) -> Outcome:
        """Without requests, the model returns to zero."""
        reached, _, _ = self.api.wait(
            lambda details: bool(details) and not model_replicas(details, SLEEPING, self.ingress),
            ZERO_SECONDS,
        )
        return reached, "back at zero" if reached else f"still up after {ZERO_SECONDS} s"

    def smoke_test_passes(self) -> Outcome:
        """The smoke test's exit code on the good service is 0."""
        code, lines = smoke_test(self.nodes, self.written)
        return code == 0, f"exit code {code}" + ("" if code == 0 else f": {lines[-2:]}")

    def smoke_test_fails(self) -> Outcome:
        """With an engine that does not start, it is 1, and the cause is named."""
        self.nodes.faults.write_text(json.dumps({EDITED: {"start": FAILURE}}), encoding="utf-8")
        self.written = self._edit()
        self.api.deploy(self.written.serve_config)
        time.sleep(1)
        code, lines = smoke_test(self.nodes, self.written)
        named = any(FAILURE in line for line in lines)
        others = all(say_hello(self.nodes.serve_url, name)[0] == 200 for name in (SPLIT,))
        try:
            meanwhile = f"is answered {say_hello(self.nodes.serve_url, EDITED, seconds=10)[0]}"
        except TimeoutError:
            meanwhile = "waits"
        return code == 1 and named and others, (
            f"exit code {code}, cause {'named' if named else f'NOT named: {lines[-2:]}'}, "
            f"a request to the edited model {meanwhile}"
        )

    def smoke_test_repairs(self) -> Outcome:
        """Once the engine can start, another run of it starts the model again."""
        self.nodes.faults.unlink()
        code, lines = smoke_test(self.nodes, self.written)
        return code == 0, f"exit code {code}" + ("" if code == 0 else f": {lines[-2:]}")

    def _edit(self) -> Written:
        self._edits += 1
        return write(self.release, self._edits)


CHECKS: Final[dict[str, Callable[[ReleaseCheck], Outcome]]] = {
    "running": ReleaseCheck.deployed,
    "placement": ReleaseCheck.placed,
    "asleep": ReleaseCheck.asleep,
    "wakes": ReleaseCheck.wakes,
    "api": ReleaseCheck.answers,
    "edit": ReleaseCheck.edited,
    "sleeps": ReleaseCheck.sleeps,
    "smoke-test": ReleaseCheck.smoke_test_passes,
    "failed-engine": ReleaseCheck.smoke_test_fails,
    "repair": ReleaseCheck.smoke_test_repairs,
}
"""The checks by the name that the results give them."""


def _all_running(details: Details) -> bool:
    return bool(details) and set(statuses(details).values()) == {"RUNNING"}


def _messages(details: Details) -> str:
    return "; ".join(
        f"{name} {item['status']}: {_short(item.get('message') or '')}"
        for name, item in details.items()
        if item["status"] != "RUNNING"
    )


def _short(text: str) -> str:
    """The last line of a text."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
