"""What is predicted of an edit, against what the real operator then does.

A service that serves is edited again and again, as another client would, and put back each time.
The pods of second clusters are held back by a scheduling gate, so that none of them ever takes
over: what counts is whether KubeRay prepares one.
"""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from localcloud.cluster.kubernetes_api import Object
from localcloud.testing.running_cluster import eventually
from models.catalog import DEFAULT_KUBERAY
from rollouts import Effect, Kind, ModelChange, Rollout, predict
from tests.cluster.deployed import RAY, RAY_SERVICE
from tests.cluster.running import Cluster
from tests.cluster.stage import Stage
from tests.rollouts.edits import APPENDS, EDITS, GATES, Edit

pytestmark = pytest.mark.cluster

IN_THE_GATE = {
    "gates on all pods",
    "the same amount in milli",
    "a model is added",
    "a model is removed",
    "a model is edited",
    "a router takes more requests",
    "a longer timeout of the proxies",
    "replicas of a group",
    "no more second clusters",
    "an image without second clusters",
    "an unknown strategy",
    "no serve config",
    "an image",
    "an environment variable",
    "a group between others",
    "a group at the end",
}
"""One or more for each way in which KubeRay and Serve take an edit; `make e2e` makes all edits."""

REFUSED_BY_RAY_SECONDS = 8
"""KubeRay says it only in an event; by then it has tried several times."""

QUIET_SECONDS = 4
"""Serve has begun by then to replace whatever it replaces."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the operator has made of the RayService.

    refused: why KubeRay refuses it. deployed: when Serve got each application last.
    proxies: the settings that Serve's proxies run with.
    """

    generation: int
    observed: int
    refused: str | None
    active: str
    pending: str
    cluster: dict[str, Any]
    deployed: dict[str, float]
    proxies: dict[str, Any]


class Operator:
    """The RayService, and what the operator does with it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.base: Object = self.ray_service()

    def ray_service(self) -> Object:
        found: Object = self._cluster.get(RAY_SERVICE)
        return found

    def seen(self) -> Seen:
        service = self.ray_service()
        status = service["status"]
        [ready] = [item for item in status["conditions"] if item["type"] == "Ready"]
        active = status["activeServiceStatus"]["rayClusterName"]
        serve = self._cluster.serve()
        return Seen(
            generation=service["metadata"]["generation"],
            observed=status["observedGeneration"],
            refused=ready["message"] if ready["reason"] == "ValidationFailed" else None,
            active=active,
            pending=(status.get("pendingServiceStatus") or {}).get("rayClusterName") or "",
            cluster=self._cluster.get(f"{RAY}/rayclusters/{active}")["spec"],
            deployed={
                name: application["last_deployed_time_s"]
                for name, application in serve["applications"].items()
            },
            proxies=serve["http_options"],
        )

    def replicas(self) -> dict[str, dict[str, set[str]]]:
        """The replicas of each model by its name, those of the model and those of its routers."""
        found: dict[str, dict[str, set[str]]] = {}
        for model, application in self._cluster.models().items():
            kinds = found.setdefault(model, {})
            for name, deployment in application["deployments"].items():
                kind = "model" if name.startswith("LLMServer") else "routers"
                running = {item["replica_id"] for item in deployment["replicas"]}
                kinds[kind] = kinds.get(kind, set()) | running
        return found

    def write(self, spec: dict[str, Any]) -> None:
        """Replace the spec, as `kubectl replace` does."""

        def put() -> bool:
            # KubeRay writes the status at the same time.
            service = self.ray_service() | {"spec": copy.deepcopy(spec)}
            self._cluster.api(lambda api: api.request("PUT", RAY_SERVICE, service))
            return True

        eventually(put, "the RayService is written", seconds=20)

    def settled(self) -> Seen:
        """What it has done once it has looked at the newest spec, or has failed to."""
        deadline = time.monotonic() + REFUSED_BY_RAY_SECONDS
        while time.monotonic() < deadline:
            seen = self.seen()
            if seen.refused or seen.observed == seen.generation:
                return seen
            time.sleep(0.3)
        return self.seen()

    def put_back(self) -> None:
        """The spec before the edit, and no second cluster."""
        self.write(self.base["spec"])

        def is_back() -> bool:
            seen = self.seen()
            if seen.pending:
                # KubeRay would go on to a second cluster of the spec that is put back.
                body = {"status": {"pendingServiceStatus": None}}
                self._cluster.patch(f"{RAY_SERVICE}/status", body, "test")
                return False
            for item in self._cluster.items(f"{RAY}/rayclusters"):
                if (name := item["metadata"]["name"]) != seen.active:
                    self._cluster.delete(f"{RAY}/rayclusters/{name}")
            return (
                seen.refused is None
                and seen.observed == seen.generation
                and self._cluster.serves_quietly()
            )

        eventually(is_back, "the service is as before", seconds=60)


@pytest.fixture(scope="module")
def operator(stage: Stage) -> Iterator[Operator]:
    """The operator of the small service, which is destroyed afterwards."""
    service = stage.small_service()
    service.restore()
    eventually(
        lambda: len(service.cluster.items(f"{RAY}/rayclusters")) == 1,
        "what earlier tests left is gone",
        seconds=180,
    )
    operator = Operator(service.cluster)
    yield operator
    operator.put_back()
    stage.clear()


def done(before: Seen, after: Seen, *, added_groups: int) -> Kind:
    """The kind of what happened, by what can be seen of it."""
    if after.refused:
        return Kind.REFUSED
    if after.pending != before.pending:
        assert after.cluster == before.cluster
        assert after.deployed == before.deployed
        return Kind.SECOND_CLUSTER
    groups = "workerGroupSpecs"
    if after.cluster != before.cluster:
        assert len(after.cluster[groups]) == len(before.cluster[groups]) + added_groups
        return Kind.GROUPS
    if after.deployed != before.deployed:
        return Kind.SERVE
    return Kind.REFUSED if after.observed != after.generation else Kind.NOTHING


def visible(rollout: Rollout) -> Kind:
    """What of a prediction can be told from outside: KubeRay passes over the rest."""
    nothing_to_see = {Kind.NOTHING, Kind.IGNORED, Kind.IN_PLACE}
    return Kind.NOTHING if rollout.kind in nothing_to_see else rollout.kind


def as_predicted(
    model: ModelChange,
    before: dict[str, dict[str, set[str]]],
    after: dict[str, dict[str, set[str]]],
) -> bool:
    """Whether those replicas of a model went on, or were replaced, that were said to."""
    was, is_ = before.get(model.name), after.get(model.name)
    if was is None or is_ is None:
        effect = Effect.ADDED if was is None else Effect.REMOVED
        return model.effect is effect
    replaced = {kind for kind, running in is_.items() if running and not running & was[kind]}
    expected = {
        Effect.EDITED: {"model"},
        Effect.ROUTER: {"routers"},
        Effect.SCALED: set[str](),
        Effect.UNTOUCHED: set[str](),
    }[model.effect]
    # Serve replaces the routers together with a model if its arguments change.
    return replaced - {"routers"} == expected if "model" in expected else replaced == expected


def edited(operator: Operator, edit: Edit) -> None:
    """Make the edit; assert that the operator does what was predicted."""
    before, replicas = operator.seen(), operator.replicas()
    old = operator.ray_service()
    new = edit.applied(old)
    predicted = predict(old, new, DEFAULT_KUBERAY)
    assert predicted.kind is edit.expected(DEFAULT_KUBERAY)
    operator.write(new["spec"])
    after = operator.settled()
    assert done(before, after, added_groups=len(predicted.appended)) is visible(predicted)
    assert after.proxies == before.proxies
    for model in predicted.models if predicted.kind is Kind.SERVE else ():
        eventually(
            lambda model=model: as_predicted(model, replicas, operator.replicas()),
            f"{model.name}: {model.effect}",
            seconds=40,
        )
    if predicted.kind is Kind.SERVE:
        time.sleep(QUIET_SECONDS)
        for model in predicted.models:
            assert as_predicted(model, replicas, operator.replicas()), model


def tiers(*edits: Edit) -> Iterator[Any]:
    """The edits as parameters of a test; those outside the gate are marked."""
    assert {edit.name for edit in edits} > IN_THE_GATE
    for edit in edits:
        marks = () if edit.name in IN_THE_GATE else pytest.mark.thorough
        yield pytest.param(edit, marks=marks, id=str(edit))


@pytest.mark.parametrize("edit", tiers(GATES, *EDITS, *APPENDS))
def test_the_operator_does_what_was_predicted(operator: Operator, edit: Edit) -> None:
    edited(operator, edit)
    if edit is GATES or edit in APPENDS:
        # Later second clusters start no process; a group can't be taken away again in place.
        strategy = operator.base["spec"]["upgradeStrategy"]
        operator.base = operator.ray_service()
        operator.base["spec"]["upgradeStrategy"] = strategy
    operator.put_back()
