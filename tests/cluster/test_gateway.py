"""The way in on a real cluster: one address, keys that change under load, a canary, a hand-over."""

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster.deployed import NAMESPACE, ClusterDeployment
from tests.cluster.running import Cluster
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY
from tests.cluster.through_gateway import GatewayLoad

pytestmark = pytest.mark.cluster

KEYS = {
    team: f"sk-{team}-ClusterTestKeyOfNoWorth0123456789" for team in ("search", "support", "guest")
}
POLICIES = "/apis/networking.k8s.io/v1/namespaces/ai/networkpolicies"
# The local kubelet writes changed files after two seconds.
SEEN_SECONDS = 30.0


def access(*teams: str, **changes: Any) -> dict[str, Any]:
    keys = {team: {"secure": KEYS[team]} for team in teams}
    return {"ray-llm:access": {"exposure": "internal", "keys": keys, **changes}}


@pytest.fixture
def service(service: Service) -> Iterator[Service]:
    """The small service behind a gateway with two keys; afterwards without one."""
    service.write({**service.base, **access("search", "support")}).must_up()
    yield service
    service.write(service.base).must_up()


def url_of(deployment: ClusterDeployment) -> str:
    done = deployment.pulumi("stack", "output", "url")
    assert done.returncode == 0, done.stderr
    return f"{done.stdout.strip()}/v1"


def client(service: Service, team: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url_of(service.deployment), api_key=KEYS[team], max_retries=0)


def ask(asked: openai.OpenAI, model: str, text: str = "hello") -> str | None:
    answer = asked.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}]
    )
    return answer.choices[0].message.content


def pods(cluster: Cluster) -> set[tuple[str, int]]:
    """The gateway's pods with the restarts of their containers."""
    label = "app.kubernetes.io/component%3Dgateway"
    return {
        (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in cluster.items(f"{NAMESPACE}/pods?labelSelector={label}")
    }


def refused(asked: openai.OpenAI) -> bool:
    try:
        asked.models.list()
    except openai.AuthenticationError:
        return True
    return False


def test_one_address_answers_for_all_models_and_only_with_a_key(service: Service) -> None:
    asked = client(service, "search")
    assert {model.id for model in asked.models.list()} == {"steady", "other"}
    for model in ("steady", "other"):
        assert ask(asked, model) == f"{model}: hello"
        stream = asked.chat.completions.create(
            model=model, stream=True, messages=[{"role": "user", "content": "one two"}]
        )
        text = "".join(part.choices[0].delta.content or "" for part in stream if part.choices)
        assert text == f"{model}: one two"
    assert refused(client(service, "guest"))
    with pytest.raises(openai.NotFoundError):
        ask(asked, "nobody")
    [policy] = service.cluster.items(POLICIES)
    assert policy["spec"]["podSelector"]["matchLabels"]["ray.io/is-ray-node"] == "yes"
    assert len(policy["spec"]["podSelector"]["matchLabels"]) == 1
    selector = "ray.io/is-ray-node%3Dyes"
    selected = service.cluster.items(f"{NAMESPACE}/pods?labelSelector={selector}")
    assert {pod["metadata"]["labels"]["ray.io/node-type"] for pod in selected} == {"head", "worker"}
    service.deployment.settled()


def test_keys_come_and_go_under_load_and_no_request_is_lost(
    service: Service, figures: Figures
) -> None:
    before = pods(service.cluster)
    guest = client(service, "guest")
    assert refused(guest)
    url = url_of(service.deployment)
    with GatewayLoad(url, KEYS["search"], ("steady", "other"), per_second=8) as load:
        service.write({**service.base, **access("search", "support", "guest")}).must_up()
        seconds = waited(lambda: not refused(guest))
        assert ask(guest, "steady") == "steady: hello"
        service.write({**service.base, **access("search", "support")}).must_up()
        seconds = max(seconds, waited(lambda: refused(guest)))
    figures.add("a key added and removed behind a gateway", load.summary())
    figures.add("... until the pods follow, after the `up`", f"{seconds:.1f} s")
    assert load.lost == []
    assert pods(service.cluster) == before


def waited(done: Any) -> float:
    started = time.monotonic()
    eventually(done, "the pods follow", seconds=SEEN_SECONDS)
    return time.monotonic() - started


def test_a_canary_gets_its_share_and_goes_in_two_steps(service: Service, figures: Figures) -> None:
    before, asked = pods(service.cluster), client(service, "search")
    canary = {**OTHER, "canaryOf": "steady", "percent": 50}
    with_canary = {**service.config, "ray-llm:models": [STEADY, canary]}
    service.write(with_canary).must_up()

    def share() -> float:
        answers = [ask(asked, "steady") for _ in range(40)]
        return sum(answer == "other: hello" for answer in answers) / len(answers)

    eventually(lambda: share() > 0, "the canary is asked", seconds=SEEN_SECONDS)
    found = sum(share() for _ in range(5)) / 5
    figures.add("requests to a canary of 50 %", f"{found:.0%}")
    assert 0.3 < found < 0.7
    service.write({**with_canary, "ray-llm:models": [STEADY]})
    stopped = service.deployment.preview()
    assert stopped.returncode != 0
    assert "the gateway still sends it 50 %" in " ".join(stopped.stdout.split())
    service.write({**with_canary, "ray-llm:models": [STEADY, OTHER]}).must_up()
    eventually(lambda: share() == 0, "it is asked no more", seconds=SEEN_SECONDS)
    assert pods(service.cluster) == before


@pytest.mark.thorough
def test_an_edited_model_is_handed_over_behind_the_gateway(
    service: Service, figures: Figures
) -> None:
    before = pods(service.cluster)
    service.cluster.engine_faults({"*": {"start_seconds": 20.0}})
    url = url_of(service.deployment)
    edited = {**STEADY, "contextLength": 2048}
    with GatewayLoad(url, KEYS["search"], ("steady", "other"), per_second=8) as load:
        service.write({**service.config, "ray-llm:models": [edited, OTHER]}).must_up()
    figures.add("an edit behind a gateway, engine of 20 s", load.summary())
    assert load.lost == []
    assert pods(service.cluster) == before
    service.cluster.engine_faults({})


def test_the_pods_of_a_gateway_are_replaced_under_load(service: Service, figures: Figures) -> None:
    """Another largest body is another start file, which only new pods read."""
    before = pods(service.cluster)
    changed = access("search", "support", maxBodyMib=4)
    url = url_of(service.deployment)
    with GatewayLoad(url, KEYS["search"], ("steady", "other"), per_second=8) as load:
        service.write({**service.config, **changed}).must_up()
        eventually(lambda: not pods(service.cluster) & before, "the old pods end", seconds=120)
    figures.add("a rollout of a gateway's pods", load.summary())
    assert load.lost == []
