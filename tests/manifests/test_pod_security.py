"""What pods of a service may do, by the namespace's labels and their own security contexts."""

from dataclasses import replace
from typing import Any

import pytest

from manifests import service_manifests
from models.service import HeadRecoverySettings, PodSecurity
from planning import Plan
from tests.manifests.kuberay_hash import hashed
from tests.manifests.plans import plan
from tests.manifests.written import ray_service, smoke_test_job

ENFORCE = "pod-security.kubernetes.io/enforce"


def with_service(**changes: Any) -> Plan:
    made = plan()
    return replace(made, service=replace(made.service, **changes))


RESTRICTED = with_service(pod_security=PodSecurity.RESTRICTED)


def complaints(pod: dict[str, Any], containers: list[dict[str, Any]]) -> list[str]:
    """What the standard "restricted" refuses of a pod's spec, by its own list."""
    context = pod.get("securityContext", {})
    found = []
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        found.append("seccomp")
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") in (0, None):
        found.append("root")
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        found += [key] if pod.get(key) else []
    allowed = {"configMap", "secret", "projected", "emptyDir", "downwardAPI", "name"}
    found += [item["name"] for item in pod.get("volumes", []) if not set(item) <= allowed]
    for container in containers:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            found.append("escalation")
        if own.get("capabilities") != {"drop": ["ALL"]}:
            found.append("capabilities")
        if own.get("privileged") or any("hostPort" in port for port in container.get("ports", [])):
            found.append("privileged")
    return found


def ray_pods(made: Plan) -> list[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Every pod of the Ray cluster with its containers, the autoscaler with the head."""
    cluster = ray_service(made)["spec"]["rayClusterConfig"]
    groups = [("head", cluster["headGroupSpec"])]
    groups += [(group["groupName"], group) for group in cluster["workerGroupSpecs"]]
    found = []
    for name, group in groups:
        spec = group["template"]["spec"]
        more = [cluster["autoscalerOptions"]] if name == "head" else []
        found.append((name, spec, [*spec["containers"], *more]))
    return found


@pytest.mark.parametrize("made", [plan(), RESTRICTED], ids=["baseline", "restricted"])
def test_the_smoke_test_is_always_restricted_and_writes_nowhere_but_in_its_scratch_folder(
    made: Plan,
) -> None:
    spec = smoke_test_job(made)["spec"]["template"]["spec"]
    assert complaints(spec, spec["containers"]) == []
    [container] = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    writable = [mount for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert [mount["mountPath"] for mount in writable] == ["/tmp"]


def test_restricted_pods_of_ray_pass_and_only_the_head_keeps_its_token() -> None:
    for name, spec, containers in ray_pods(RESTRICTED):
        assert complaints(spec, containers) == [], name
        assert spec.get("automountServiceAccountToken", True) is (name == "head"), name


def test_without_the_setting_ray_s_pods_are_as_they_were() -> None:
    for name, spec, containers in ray_pods(plan()):
        assert "securityContext" not in spec, name
        assert "automountServiceAccountToken" not in spec, name
        assert not any("securityContext" in container for container in containers), name


@pytest.mark.parametrize(("made", "standard"), [(plan(), "baseline"), (RESTRICTED, "restricted")])
def test_the_namespace_enforces_one_release_of_the_standard_and_warns_of_restricted(
    made: Plan, standard: str
) -> None:
    labels = service_manifests(made).namespace["metadata"]["labels"]
    assert labels[ENFORCE] == standard
    assert labels[f"{ENFORCE}-version"].startswith("v1.")
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"


def test_the_budget_keeps_the_one_head_and_no_worker() -> None:
    spec = service_manifests(plan()).head_disruption_budget["spec"]
    assert spec["minAvailable"] == 1
    assert spec["selector"] == {"matchLabels": {"ray.io/node-type": "head"}}
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_a_head_with_redis_names_its_password_s_secret_and_no_namespace_of_its_own() -> None:
    recovery = HeadRecoverySettings(redis="redis.ai:6379", password_secret="redis-auth")
    made = ray_service(with_service(head_recovery=recovery))["spec"]["rayClusterConfig"]
    assert made["gcsFaultToleranceOptions"] == {
        "redisAddress": "redis.ai:6379",
        "redisPassword": {"valueFrom": {"secretKeyRef": {"name": "redis-auth", "key": "password"}}},
    }
    before = ray_service(plan())["spec"]["rayClusterConfig"]
    assert "gcsFaultToleranceOptions" not in before
    assert hashed(before) != hashed(made)
