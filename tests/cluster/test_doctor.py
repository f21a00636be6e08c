"""What `doctor`, `status` and `logs` say of faults that are provoked on the real cluster."""

import contextlib
import copy
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.testing.figures import Figures
from localcloud.testing.running_cluster import eventually
from tests.cluster import commands
from tests.cluster.commands import Finding
from tests.cluster.deployed import (
    NAMESPACE,
    RAY,
    RAY_SERVICE,
    end,
    kept_down,
    running,
    wait_until_up,
)
from tests.cluster.nodes import take_back
from tests.cluster.service import Service
from tests.cluster.stacks import OTHER, STEADY, THIRD
from tests.cluster.stage import Stage

pytestmark = pytest.mark.cluster

# What an engine says, and what the doctor makes of it. The texts are those of vLLM, torch and the
# hub's client; tests/diagnosis/test_judgement.py names their sources.
ENGINE_FAULTS = {
    "gated": (
        "You are trying to access a gated repo.\nAccess to model acme/gated is restricted and you "
        "are not in the list.",
        "model-gated",
    ),
    "cramped": (
        "No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
        "engine-out-of-memory",
    ),
    "misspelt": (
        "acme/missing is not a local folder and is not a valid model identifier listed on "
        "'https://huggingface.co/models'",
        "repository-unknown",
    ),
    "driven": (
        "The NVIDIA driver on your system is too old (found version 12080).",
        "driver-too-old",
    ),
    "refused": (
        "Failed to create vLLM engine config: 1 validation error for ModelConfig\n"
        "  Value error, User-specified max_model_len (9999) is greater than the derived "
        "max_model_len (max_position_embeddings=4096.0 or model_max_length=None in model's "
        "config.json).",
        "context-above-model",
    ),
}


def command(
    service: Service, *arguments: str, kubeconfig: str | Path = "", seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command of `ray-llm` on the small stack."""
    return commands.command(service.deployment, *arguments, kubeconfig=kubeconfig, seconds=seconds)


def doctor(service: Service) -> tuple[int, dict[str, Finding]]:
    """The exit code, and the findings by rule."""
    return commands.doctor(service.deployment)


def says(service: Service, rule: str, seconds: float = 120) -> Finding:
    """What the doctor says by a rule, as soon as it does."""
    last: dict[str, Finding] = {}

    def found() -> Finding | None:
        nonlocal last
        _, last = doctor(service)
        return last.get(rule)

    try:
        return eventually(found, f"the doctor finds {rule}", seconds=seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; it finds {last}") from None


def states(service: Service) -> dict[str, dict[str, Any]]:
    """What `status` shows of each model."""
    done = command(service, "status", "--json")
    assert done.returncode == 0, done.stderr
    return {item["model"]: item for item in json.loads(done.stdout)["models"]}


@pytest.fixture
def service(deployed_service: Service) -> Iterator[Service]:
    """The small service as the previous fault left it."""
    yield deployed_service
    deployed_service.cluster.engine_faults({})


def edited(service: Service, path: str, body: dict[str, Any]) -> None:
    """An edit by hand."""
    service.cluster.patch(path, body, "kubectl-edit")


def by_hand(service: Service, name: str, group: str = "t4", **spec: Any) -> None:
    """A pod with the labels of a worker, which no Ray cluster counts."""
    labels = {
        "ray.io/cluster": "by-hand",
        "ray.io/group": group,
        "ray.io/node-type": "worker",
        "ray.io/is-ray-node": "yes",
    }
    container = {"name": "ray-worker", "image": "acme/ray:9", **spec.pop("container", {})}
    service.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "ai", "labels": labels},
            "spec": {"restartPolicy": "Never", "containers": [container], **spec},
        }
    )


def forget(service: Service, name: str) -> None:
    service.cluster.delete(f"{NAMESPACE}/pods/{name}")


@contextlib.contextmanager
def suspended(service: Service, program: str) -> Iterator[None]:
    """A program that is there and does nothing while the body runs."""
    processes = running(service.cluster, program)
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def test_a_service_that_is_well_is_said_to_be_well(service: Service, figures: Figures) -> None:
    service.restore()
    before = service.cluster.get(RAY_SERVICE)["metadata"]["resourceVersion"]
    with figures.timed("doctor, two models, all well"):
        code, found = doctor(service)
    # The operator of this cluster is no pod.
    assert [item for item in found.values() if item["gravity"] == "wrong"] == []
    assert code == 0, found
    text = command(service, "doctor").stdout
    assert "it is well" in text
    assert service.cluster.get(RAY_SERVICE)["metadata"]["resourceVersion"] == before


def test_status_shows_each_model_with_its_node(service: Service) -> None:
    found = states(service)
    assert found.keys() == {"steady", "other"}
    for state in found.values():
        assert (state["state"], state["running"]) == ("running", 1)
        assert state["nodes"][0].startswith(f"gke-local-{state['pool']}")
        assert state["age_seconds"] > 0
    assert "steady" in command(service, "status").stdout


def test_logs_show_what_replica_engine_and_events_say_in_order(service: Service) -> None:
    service.deployment.assert_answers("steady")
    done = command(service, "logs", "steady")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {line.split()[2] for line in lines} >= {"replica", "engine", "event"}
    times = [" ".join(line.split()[:2]) for line in lines]
    assert times == sorted(times)
    # The time of a request's line is now, in UTC.
    assert times[-1][:13] in {time.strftime("%Y-%m-%d %H", time.gmtime(t)) for t in _around_now()}
    recent = command(service, "logs", "steady", "--since", "1s")
    assert len(recent.stdout.splitlines()) < len(lines)


def _around_now() -> tuple[float, float]:
    return time.time() - 120, time.time()


def test_a_model_that_does_not_exist_is_refused_with_the_nearest(service: Service) -> None:
    done = command(service, "logs", "stedy")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "The stack small has no model stedy. Did you mean steady? It has steady, other."
    ]


def test_a_node_that_goes_and_of_which_google_has_no_other(service: Service) -> None:
    cluster = service.cluster
    service.free_idle_workers()  # none that would take the next replica
    [pod] = cluster.engine_pods("other")
    cluster.out_of_stock("l4")
    try:
        take_back(cluster, pod["spec"]["nodeName"], notice=False)
        finding = says(service, "node-stock-out", seconds=180)
        assert finding["subject"] == "pool l4 (other)"
        assert finding["mend"]["path"] == "ray-llm:gpuPools[1].zones"
        assert "GCE out of resources" in finding["why"]
        # Ray Serve says that a health check failed; that is not the engine's fault.
        eventually(
            lambda: states(service)["other"]["state"] == "waits for a node",
            "the model waits for a node",
            seconds=120,
        )
        assert "engine-failed" not in doctor(service)[1]
    finally:
        cluster.out_of_stock()
    eventually(
        lambda: cluster.chat("other", "other", "hello")[0] == 200,
        "the model answers again",
        seconds=180,
    )


def test_engines_that_do_not_start_are_told_apart(service: Service, figures: Figures) -> None:
    cluster = service.cluster
    cluster.engine_faults({name: {"start": text} for name, (text, _) in ENGINE_FAULTS.items()})
    models = [{**THIRD, "name": name, "replicas": {"min": 1, "max": 1}} for name in ENGINE_FAULTS]
    pools = copy.deepcopy(service.base["ray-llm:gpuPools"])
    pools[0]["maxNodes"] = 8
    config = {**service.base, "ray-llm:models": [STEADY, OTHER, *models], "ray-llm:gpuPools": pools}
    up = service.write(config).start_up()
    try:
        for name, (_, rule) in ENGINE_FAULTS.items():
            finding = says(service, rule, seconds=240)
            assert name in finding["subject"], finding
            assert finding["mend"]["path"], finding
        errors = command(service, "logs", "cramped", "--errors").stdout
        assert "No available memory for the cache blocks" in errors
        states = json.loads(command(service, "status", "--json").stdout)["models"]
        assert sum(bool(state["error"]) for state in states) == len(ENGINE_FAULTS)
        code, output = end(up)
        assert code != 0, output
        # The smoke test has quoted the engines by now, and none of it is a finding of its own.
        code, found = doctor(service)
        assert code == 1
        assert found["check-failed"]["gravity"] == "note"
        assert "stale-ready" in found
        for name, (_, rule) in ENGINE_FAULTS.items():
            assert name in found[rule]["subject"], found[rule]
    finally:
        # The tests after this one need the service.
        service.deployment.end_updates()
        cluster.engine_faults({})
        service.write(service.base).must_up()


def test_a_model_that_is_not_deployed_yet_is_named(service: Service) -> None:
    service.models(STEADY, OTHER, THIRD)
    finding = says(service, "model-missing", seconds=10)
    assert finding["subject"] == "model third"
    assert finding["mend"]["place"].startswith("Pulumi.small.yaml:")
    assert finding["mend"]["command"] == "pulumi up --stack small"
    service.write(service.base)


@pytest.mark.thorough
def test_an_engine_that_dies_in_flight_is_noticed(service: Service) -> None:
    service.cluster.engine_faults({"other": {"unhealthy": "CUDA out of memory. Tried to allocate"}})

    def noticed() -> bool:
        _, found = doctor(service)
        return any(
            "other" in item["subject"] and item["rule"] in {"engine-out-of-memory", "replica-flaps"}
            for item in found.values()
        )

    eventually(noticed, "the doctor names the model", seconds=180)
    service.cluster.engine_faults({})
    eventually(
        lambda: service.cluster.chat("other", "other", "hello")[0] == 200,
        "the model answers again",
        seconds=120,
    )


def test_a_pool_at_its_maximum_is_named(service: Service) -> None:
    [cluster] = service.cluster.items(f"{RAY}/rayclusters")
    groups = cluster["spec"]["workerGroupSpecs"]
    more = [{**group, "replicas": 4} if group["groupName"] == "l4" else group for group in groups]
    path = f"{RAY}/rayclusters/{cluster['metadata']['name']}"
    edited(service, path, {"spec": {"workerGroupSpecs": more}})
    finding = says(service, "node-pool-maximum")
    assert finding["subject"] == "pool l4 (other)"
    assert finding["mend"]["path"] == "ray-llm:gpuPools[1].maxNodes"
    edited(service, path, {"spec": {"workerGroupSpecs": groups}})


def test_a_pod_that_fits_no_node_and_one_that_tolerates_too_little(service: Service) -> None:
    pool = {"cloud.google.com/gke-nodepool": "t4"}
    requests = {"resources": {"requests": {"cpu": "500"}, "limits": {"cpu": "500"}}}
    by_hand(service, "too-large", container=requests, nodeSelector=pool)
    assert says(service, "node-too-large")["subject"] == "pool t4 (steady)"
    forget(service, "too-large")
    by_hand(service, "nowhere", "nowhere", nodeSelector={"cloud.google.com/gke-nodepool": "no"})
    finding = says(service, "node-coming")
    assert "didn't match Pod's node affinity/selector" in finding["why"]
    forget(service, "nowhere")


def test_an_image_and_a_secret_that_are_not_there_are_named(service: Service) -> None:
    head = service.cluster.get(RAY_SERVICE)["spec"]["rayClusterConfig"]["headGroupSpec"]
    image = head["template"]["spec"]["containers"][0]["image"]
    by_hand(service, "no-image")
    finding = says(service, "image-not-pulled")
    assert "acme/ray:9" in finding["what"]
    forget(service, "no-image")
    key = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "no-secret", "key": "a"}}}
    by_hand(service, "no-secret", container={"image": image, "env": [key]})
    finding = says(service, "secret-missing")
    assert "no-secret" in finding["what"]
    forget(service, "no-secret")


def test_a_serve_config_that_ray_refuses_is_quoted(service: Service) -> None:
    text = service.cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"]
    config = yaml.safe_load(text)
    config["applications"][1]["route_prefix"] = config["applications"][0]["route_prefix"]
    edited(service, RAY_SERVICE, {"spec": {"serveConfigV2": yaml.safe_dump(config)}})
    finding = says(service, "config-refused")
    assert "400" in finding["why"]
    _, found = doctor(service)
    assert "live-differs" in found
    edited(service, RAY_SERVICE, {"spec": {"serveConfigV2": text}})
    service.deployment.must_up()


def test_a_ray_service_that_kuberay_refuses_is_quoted(service: Service) -> None:
    head = {"headGroupSpec": {"template": {"spec": {"restartPolicy": "Always"}}}}
    edited(service, RAY_SERVICE, {"spec": {"rayClusterConfig": head}})
    finding = says(service, "service-refused")
    assert "restartPolicy" in finding["why"]
    head["headGroupSpec"]["template"]["spec"]["restartPolicy"] = "Never"
    edited(service, RAY_SERVICE, {"spec": {"rayClusterConfig": head}})
    eventually(lambda: "service-refused" not in doctor(service)[1], "it is taken", seconds=60)


@pytest.mark.thorough
def test_an_operator_that_is_down_is_noticed(service: Service) -> None:
    text = service.cluster.get(RAY_SERVICE)["spec"]["serveConfigV2"]
    with suspended(service, "ray-operator"):
        edited(service, RAY_SERVICE, {"spec": {"serveConfigV2": f"{text}\n"}})
        finding = says(service, "operator-idle", seconds=240)
    assert finding["subject"] == "KubeRay"
    edited(service, RAY_SERVICE, {"spec": {"serveConfigV2": text}})


def test_whoever_may_read_nothing_learns_what_was_not_seen(
    service: Service, tmp_path: Path
) -> None:
    account = f"{NAMESPACE}/serviceaccounts/default/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = service.cluster.api(lambda api: api.create(account, body))["status"]["token"]
    config = yaml.safe_load(Path(service.cluster.state.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    done = command(service, "doctor", kubeconfig=path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "not enough could be seen" in done.stdout
    assert done.stdout.count("you have no right to it") > 5
    assert token not in done.stdout + done.stderr


def test_an_api_server_that_is_down_is_one_sentence(service: Service) -> None:
    with kept_down(service.cluster, "kube-apiserver"):
        done = command(service, "doctor")
    wait_until_up(service.cluster)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be asked" in done.stderr


@pytest.mark.thorough
def test_a_head_that_was_replaced_is_named(service: Service) -> None:
    service.restore()
    [head] = service.cluster.items(
        f"{NAMESPACE}/pods?labelSelector=ray.io/node-type%3Dhead,ray.io/cluster"
    )
    service.cluster.delete(f"{NAMESPACE}/pods/{head['metadata']['name']}")
    finding = says(service, "head-restarted", seconds=180)
    assert "lost all actors" in finding["what"]
    eventually(
        lambda: service.cluster.chat("steady", "steady", "hello")[0] == 200,
        "the model answers again",
        seconds=240,
    )


@pytest.mark.thorough
def test_a_second_cluster_that_waits_for_gpus_is_named(service: Service, stage: Stage) -> None:
    """An edit by hand that needs a second cluster, and more GPUs than the first one leaves."""
    groups = copy.deepcopy(
        service.cluster.get(RAY_SERVICE)["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    )
    for group in groups:
        if group["groupName"] == "l4":
            group |= {"replicas": 2, "minReplicas": 2}
            group["template"]["metadata"] = {"annotations": {"by": "hand"}}
    edited(service, RAY_SERVICE, {"spec": {"rayClusterConfig": {"workerGroupSpecs": groups}}})
    finding = says(service, "second-cluster-waits")
    assert "l4" in finding["what"]
    assert finding["mend"]["path"].endswith(".maxNodes")
    # Nobody needs the service after this.
    stage.clear()
    done = command(service, "doctor")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "it is not in this cluster" in done.stdout
