"""The cluster: what is created or adopted, and the resulting Kubernetes provider."""

import json
from dataclasses import replace

import pytest
from pulumi.runtime import rpc

from components import GkeCluster, GkeClusterArgs
from models.gke_context import gke_context
from models.stack import KubeRayInstall
from planning import Plan
from tests.components.programs import Record, plan_of, with_kuberay

CLUSTER = "container/cluster:Cluster"
NODE_POOL = "container/nodePool:NodePool"
PROVIDER = "providers:kubernetes"


def adopted(plan: Plan, context: str | None) -> Plan:
    return replace(plan, cluster=replace(plan.cluster, existing=True, context=context))


def cluster_of(plan: Plan) -> GkeCluster:
    return GkeCluster("cluster", GkeClusterArgs.of(plan))


def test_default_pool_is_removed_and_its_remains_are_ignored(record: Record, plan: Plan) -> None:
    cluster = record(lambda: cluster_of(plan)).one(CLUSTER)
    assert cluster.inputs["removeDefaultNodePool"] is True
    assert cluster.inputs["initialNodeCount"] == 1
    assert cluster.ignore_changes == ["nodeConfig", "initialNodeCount", "privateClusterConfig"]


def test_deletion_protection_is_what_the_stack_says(record: Record, plan: Plan) -> None:
    protected = replace(plan, cluster=replace(plan.cluster, deletion_protection=True))
    assert record(lambda: cluster_of(plan)).one(CLUSTER).inputs["deletionProtection"] is False
    assert record(lambda: cluster_of(protected)).one(CLUSTER).inputs["deletionProtection"] is True


@pytest.mark.parametrize("install", list(KubeRayInstall))
def test_only_the_gke_addon_switches_the_addon_on(record: Record, install: KubeRayInstall) -> None:
    plan = with_kuberay(install)
    addons = record(lambda: cluster_of(plan)).one(CLUSTER).inputs["addonsConfig"]
    expected = [{"enabled": True}] if install is KubeRayInstall.GKE_ADDON else None
    assert addons.get("rayOperatorConfigs") == expected


def test_cpu_pool_counts_in_totals_and_its_size_is_the_autoscalers(
    record: Record, plan: Plan
) -> None:
    pool = record(lambda: cluster_of(plan)).one(NODE_POOL)
    assert pool.inputs["name"] == "app-pool"
    planned = plan.cluster.cpu_pool
    assert pool.inputs["autoscaling"] == {
        "totalMinNodeCount": planned.min_nodes,
        "totalMaxNodeCount": planned.max_nodes,
    }
    assert pool.ignore_changes == ["initialNodeCount", "nodeCount"]
    assert "guestAccelerators" not in pool.inputs["nodeConfig"]
    assert "taints" not in pool.inputs["nodeConfig"]


def test_cpu_pool_does_not_start_above_its_maximum(record: Record, plan: Plan) -> None:
    small = replace(plan.cluster.cpu_pool, min_nodes=1, max_nodes=1)
    narrow = replace(plan, cluster=replace(plan.cluster, cpu_pool=small))
    assert record(lambda: cluster_of(plan)).one(NODE_POOL).inputs["initialNodeCount"] == 1
    assert len(narrow.cluster.zones) == 2
    assert record(lambda: cluster_of(narrow)).one(NODE_POOL).inputs["initialNodeCount"] == 0


def test_providers_identity_does_not_wait_for_the_cluster(record: Record, plan: Plan) -> None:
    provider = record(lambda: cluster_of(plan)).one(PROVIDER)
    assert provider.inputs["clusterIdentifier"] == "gke_acme-ml_us-central1_llm-test"
    assert provider.property_dependencies["clusterIdentifier"] == []
    assert provider.property_dependencies["kubeconfig"] != []


def test_kubeconfig_signs_in_through_the_plugin_and_holds_no_credential(
    record: Record, plan: Plan
) -> None:
    provider = record(lambda: cluster_of(plan)).one(PROVIDER)
    kubeconfig = json.loads(provider.inputs["kubeconfig"])
    (cluster,) = kubeconfig["clusters"]
    (user,) = kubeconfig["users"]
    assert cluster["cluster"] == {
        "server": "https://203.0.113.7",
        "certificate-authority-data": "Q0E=",
    }
    assert list(user["user"]) == ["exec"]
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert user["user"]["exec"]["provideClusterInfo"] is True


@pytest.mark.parametrize("existing", [False, True])
def test_secret_client_key_neither_hides_nor_enters_the_kubeconfig(
    record: Record, plan: Plan, existing: bool
) -> None:
    either = adopted(plan, context=None) if existing else plan
    provider = record(lambda: cluster_of(either)).one(PROVIDER)
    assert json.loads(provider.raw)["kubeconfig"] == provider.inputs["kubeconfig"]
    assert rpc._special_secret_sig not in provider.raw


def test_adopting_by_context_calls_nothing_and_creates_nothing(record: Record, plan: Plan) -> None:
    shared = adopted(plan, context="shared")
    recording = record(lambda: cluster_of(shared))
    assert recording.calls == []
    names = sorted(item.name for item in recording.registrations)
    assert names == ["cluster", "cluster-kubernetes", "cluster-record"]
    provider = recording.one(PROVIDER)
    assert provider.inputs["context"] == "shared"
    assert "kubeconfig" not in provider.inputs
    assert provider.inputs["clusterIdentifier"] == gke_context("acme-ml", "us-central1", "llm-test")


def test_adopting_without_context_reads_the_endpoint_from_gke(record: Record, plan: Plan) -> None:
    shared = adopted(plan, context=None)
    recording = record(lambda: cluster_of(shared))
    assert recording.calls == ["gcp:container/getCluster:getCluster"]
    names = sorted(item.name for item in recording.registrations)
    assert names == ["cluster", "cluster-kubernetes", "cluster-record"]
    kubeconfig = json.loads(recording.one(PROVIDER).inputs["kubeconfig"])
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://203.0.113.9"


@pytest.mark.parametrize("context", [None, "shared"])
def test_adopted_cluster_has_the_outputs_of_a_created_one(
    record: Record, plan: Plan, context: str | None
) -> None:
    def outputs(plan: Plan) -> object:
        cluster = cluster_of(plan)
        return {"name": cluster.name, "location": cluster.location, "cpuPool": cluster.cpu_pool}

    created = record(lambda: outputs(plan)).result
    assert created == {"name": "llm-test", "location": "us-central1", "cpuPool": "app-pool"}
    assert record(lambda: outputs(adopted(plan, context))).result == created


def test_objects_are_taken_over_in_clusters_of_our_own_only(record: Record, plan: Plan) -> None:
    shared = adopted(plan, context="shared")
    own = record(lambda: cluster_of(plan)).one(PROVIDER)
    theirs = record(lambda: cluster_of(shared)).one(PROVIDER)
    assert own.inputs["upsertExistingObjects"] == "true"
    assert theirs.inputs["upsertExistingObjects"] == "false"


def test_two_clusters_live_in_one_program(record: Record, plan: Plan) -> None:
    other = plan_of(region="us-central1")

    def program() -> None:
        GkeCluster("first", GkeClusterArgs.of(plan))
        GkeCluster("second", GkeClusterArgs.of(other))

    urns = [item.urn for item in record(program).registrations]
    assert len(urns) == len(set(urns)) == 12
