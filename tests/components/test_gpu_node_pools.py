"""The GPU node pools as GKE needs them, and which of their fields replace a pool."""

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from components import GkeCluster, GkeClusterArgs, GpuNodePools, GpuNodePoolsArgs
from localcloud.providers.gcp.gke import forces_new
from models.catalog import REPLACING_POOL_FIELDS
from models.stack import GpuPoolSettings
from planning import Plan
from tests.components.programs import Record, Recording, plan_of

NODE_POOL = "container/nodePool:NodePool"
NODE_POOL_TYPE = "gcp:container/nodePool:NodePool"


def pools_of(plan: Plan, **changes: Any) -> GpuNodePools:
    values: dict[str, Any] = {
        "project": "acme-ml",
        "location": "us-central1",
        "cluster": "shared",
        "pools": plan.pools,
    }
    return GpuNodePools("gpu", GpuNodePoolsArgs(**{**values, **changes}))


@pytest.fixture
def recorded(record: Record, plan: Plan) -> Recording:
    return record(lambda: pools_of(plan))


def test_pool_id_is_the_node_pools_name(recorded: Recording, plan: Plan) -> None:
    names = [pool.inputs["name"] for pool in recorded.of_type(NODE_POOL)]
    assert sorted(names) == sorted(pool.id for pool in plan.pools) == ["l4-spot", "l4-x2", "t4"]


def test_zones_are_named(recorded: Recording, plan: Plan) -> None:
    for pool in plan.pools:
        assert recorded.named(f"gpu-{pool.id}").inputs["nodeLocations"] == list(pool.zones)


def test_size_is_counted_in_totals_from_zero(recorded: Recording, plan: Plan) -> None:
    for pool in plan.pools:
        inputs = recorded.named(f"gpu-{pool.id}").inputs
        assert inputs["autoscaling"] == {
            "totalMinNodeCount": pool.min_nodes,
            "totalMaxNodeCount": pool.max_nodes,
            "locationPolicy": "ANY",
        }
        assert inputs["initialNodeCount"] == 0
        assert "nodeCount" not in inputs


def test_autoscalers_work_is_not_undone(recorded: Recording) -> None:
    for pool in recorded.of_type(NODE_POOL):
        assert pool.ignore_changes == ["initialNodeCount", "nodeCount"]


def test_only_our_taint_is_set_and_no_label_of_gkes(recorded: Recording, plan: Plan) -> None:
    for pool in plan.pools:
        config = recorded.named(f"gpu-{pool.id}").inputs["nodeConfig"]
        assert config["taints"] == [
            {"key": "nvidia.com/gpu-type", "value": pool.tier.gpu, "effect": "NO_SCHEDULE"}
        ]
        assert "labels" not in config


def test_taint_is_the_one_that_workers_tolerate(recorded: Recording, plan: Plan) -> None:
    from manifests.worker_group import gpu_worker_group

    for pool in plan.pools:
        (taint,) = recorded.named(f"gpu-{pool.id}").inputs["nodeConfig"]["taints"]
        tolerations = gpu_worker_group(plan, pool)["template"]["spec"]["tolerations"]
        assert (taint["key"], taint["value"]) in [
            (item["key"], item.get("value")) for item in tolerations
        ]


def test_spot_only_where_asked_for(recorded: Recording) -> None:
    spot = {item.inputs["name"]: item.inputs["nodeConfig"]["spot"] for item in _pools(recorded)}
    assert spot == {"t4": False, "l4-spot": True, "l4-x2": False}
    assert all("preemptible" not in item.inputs["nodeConfig"] for item in _pools(recorded))


def test_accelerators_are_the_tiers_with_gkes_driver(recorded: Recording, plan: Plan) -> None:
    for pool in plan.pools:
        config = recorded.named(f"gpu-{pool.id}").inputs["nodeConfig"]
        assert config["machineType"] == pool.machine_type
        assert config["guestAccelerators"] == [
            {
                "type": pool.tier.accelerator_type,
                "count": pool.tier.gpu_count,
                "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"},
            }
        ]


def test_upgrades_take_no_spare_gpu_node(recorded: Recording) -> None:
    for pool in _pools(recorded):
        assert pool.inputs["upgradeSettings"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_pods_get_no_access_to_the_nodes_identity(recorded: Recording) -> None:
    for pool in _pools(recorded):
        config = pool.inputs["nodeConfig"]
        assert config["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert config["shieldedInstanceConfig"]["enableIntegrityMonitoring"] is True
        assert config["gcfsConfig"] == config["gvnic"] == {"enabled": True}


@pytest.mark.parametrize(
    ("tier", "zone", "disk"),
    [
        ("t4", "us-central1-a", "pd-balanced"),
        ("a100-80gb", "us-central1-a", "pd-balanced"),
        ("b200-x8", "us-central1-b", "hyperdisk-balanced"),
        ("h200-141gb-x8", "us-central1-b", "hyperdisk-balanced"),
        ("rtx-pro-6000", "us-central1-b", "hyperdisk-balanced"),
    ],
)
def test_boot_disk_is_one_that_the_machine_can_attach(
    record: Record, tier: str, zone: str, disk: str
) -> None:
    pool = GpuPoolSettings(tier=tier, spot=True, zones=(zone,))
    recording = record(lambda: pools_of(plan_of(gpu_pools=(pool,), models=())))
    assert recording.one(NODE_POOL).inputs["nodeConfig"]["diskType"] == disk


def test_pools_come_after_the_cpu_pool(record: Record, plan: Plan) -> None:
    recording = record(lambda: _with_cluster(plan))
    cpu_pool = recording.named("cluster-cpu-pool").urn
    assert cpu_pool in recording.named("gpu").dependencies
    order = [item.name for item in recording.registrations]
    assert all(
        order.index("cluster-cpu-pool") < order.index(f"gpu-{pool.id}") for pool in plan.pools
    )


def test_replaced_cpu_pool_does_not_replace_the_gpu_pools(record: Record, plan: Plan) -> None:
    """If a resource is deleted first, the engine replaces those that use its properties."""
    recording = record(lambda: _with_cluster(plan))
    cpu_pool = recording.named("cluster-cpu-pool").urn
    for pool in plan.pools:
        registered = recording.named(f"gpu-{pool.id}")
        for urns in registered.property_dependencies.values():
            assert cpu_pool not in urns


def test_cluster_may_be_somebody_elses_output(record: Record, plan: Plan) -> None:
    recording = record(lambda: pools_of(plan, cluster=pulumi.Output.from_input("theirs")))
    assert {pool.inputs["cluster"] for pool in _pools(recording)} == {"theirs"}


CAPACITY = [
    {
        "reservation": "team-l4",
        "zone": "us-central1-c",
        "machineType": "g2-standard-12",
        "nodes": 2,
    },
    "on-demand",
    {"flexStart": "7d"},
    "spot",
]


def capacity_plan(ways: list[Any] = CAPACITY) -> Plan:
    return plan_of(
        gpu_pools=(GpuPoolSettings.model_validate({"tier": "l4", "capacity": ways}),), models=()
    )


def by_name(recording: Recording) -> dict[str, dict[str, Any]]:
    return {pool.inputs["name"]: pool.inputs for pool in _pools(recording)}


def test_each_way_to_pay_is_a_node_pool_of_the_compute_class(record: Record) -> None:
    made = by_name(record(lambda: pools_of(capacity_plan())))
    assert set(made) == {"l4-res-team-l4", "l4", "l4-flex-start", "l4-spot"}
    key = "cloud.google.com/compute-class"
    for pool in made.values():
        assert pool["nodeConfig"]["labels"] == {key: "l4"}
        taints = {taint["key"]: taint["value"] for taint in pool["nodeConfig"]["taints"]}
        assert taints == {"nvidia.com/gpu-type": "l4", key: "l4"}
    spot = {name for name, pool in made.items() if pool["nodeConfig"]["spot"]}
    assert spot == {"l4-spot"}
    reserved, flex = made["l4-res-team-l4"], made["l4-flex-start"]
    assert reserved["nodeLocations"] == ["us-central1-c"]
    assert reserved["autoscaling"]["totalMaxNodeCount"] == 2
    assert reserved["nodeConfig"]["reservationAffinity"] == {
        "consumeReservationType": "SPECIFIC_RESERVATION",
        "key": "compute.googleapis.com/reservation-name",
        "values": ["team-l4"],
    }
    assert flex["nodeConfig"]["flexStart"] is True
    assert flex["nodeConfig"]["maxRunDuration"] == "604800s"
    assert flex["nodeConfig"]["reservationAffinity"] == {"consumeReservationType": "NO_RESERVATION"}
    # Queued provisioning would give nodes to ProvisioningRequests only, which Ray does not make.
    assert "queuedProvisioning" not in flex
    assert flex["management"] == {"autoRepair": False, "autoUpgrade": True}


def test_a_node_pool_on_demand_differs_from_one_without_capacity_by_the_class_alone(
    record: Record,
) -> None:
    plain = plan_of(gpu_pools=(GpuPoolSettings(tier="l4"),), models=())
    before = by_name(record(lambda: pools_of(plain)))["l4"]
    after = by_name(record(lambda: pools_of(capacity_plan(["on-demand", "spot"]))))["l4"]
    changed = {path for path in _leaves(after) if path not in set(_leaves(before))}
    assert {path.rpartition("[")[0] or path for path in changed} <= {
        "nodeConfig.taints",
        "nodeConfig.labels.cloud.google.com/compute-class",
    }, changed
    assert not [path for path in changed if forces_new(NODE_POOL_TYPE, path)]


def test_documented_replacing_fields_are_those_of_the_provider(
    record: Record, recorded: Recording
) -> None:
    replacing = set()
    with_ways = record(lambda: pools_of(capacity_plan()))
    for pool in (*_pools(recorded), *_pools(with_ways)):
        for path in _leaves(pool.inputs):
            if forces_new(NODE_POOL_TYPE, path) and path != "initialNodeCount":
                replacing.add(next((f for f in REPLACING_POOL_FIELDS if path.startswith(f)), path))
    # serviceAccount is set only if a program gives one.
    assert replacing | {"nodeConfig.serviceAccount"} == set(REPLACING_POOL_FIELDS)
    assert forces_new(NODE_POOL_TYPE, "nodeConfig.serviceAccount")


def test_pool_with_a_name_of_its_own_keeps_it(record: Record) -> None:
    plan = plan_of(
        gpu_pools=(GpuPoolSettings(tier="l4", name="inference"),),
        models=(),
    )
    assert record(lambda: pools_of(plan)).one(NODE_POOL).inputs["name"] == "inference"


def test_two_sets_of_pools_live_in_one_program(record: Record, plan: Plan) -> None:
    def program() -> None:
        for name in ("first", "second"):
            GpuNodePools(
                name,
                GpuNodePoolsArgs(
                    project="acme-ml", location="us-central1", cluster=name, pools=plan.pools
                ),
            )

    urns = [item.urn for item in record(program).registrations]
    assert len(urns) == len(set(urns)) == 10


def _with_cluster(plan: Plan) -> None:
    cluster = GkeCluster("cluster", GkeClusterArgs.of(plan))
    GpuNodePools(
        "gpu",
        GpuNodePoolsArgs(
            project=plan.project, location=cluster.location, cluster=cluster.name, pools=plan.pools
        ),
        pulumi.ResourceOptions(depends_on=[cluster]),
    )


def _pools(recording: Recording) -> list[Any]:
    return recording.of_type(NODE_POOL)


def _leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    else:
        yield path
