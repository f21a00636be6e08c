"""Whether the CPU pool has machines without GPUs, and enough of them."""

from collections.abc import Iterable

from models.catalog import machine_type
from models.problems import Problem
from models.ways_out import outside, use
from planning.budget.cost import cpu_nodes
from planning.checks.contexts import StackContext


def cpu_pool_machine_problems(context: StackContext) -> Iterable[Problem]:
    """A CPU pool of machines that only come with GPUs.

    https://cloud.google.com/compute/docs/accelerator-optimized-machines: A2, A3, A4, G2 and G4
    machines have their GPUs attached; N1 takes them as an option.
    """
    name = context.settings.cluster.cpu_pool.machine_type
    machine = machine_type(name)
    if machine is not None and machine.has_gpus:
        yield Problem(
            path="ray-llm:cluster.cpuPool.machineType",
            value=name,
            reason="comes with GPUs, and nothing in the CPU pool uses one",
            remedy="Use a machine without GPUs",
            rule="cpu-pool-machine",
            candidates=(
                use(
                    "ray-llm:cluster.cpuPool.machineType",
                    "e2-standard-8",
                    "use e2-standard-8 or larger",
                ),
            ),
        )


def router_capacity_problems(context: StackContext) -> Iterable[Problem]:
    """Head and routers against the CPU pool's maximum: without a router no request is answered.

    Ray Serve places every ingress replica by its CPUs (ray-project/kuberay#863 shows the wait).
    """
    cluster, models = context.settings.cluster, context.models
    if cluster.existing:
        return  # somebody else's pool
    pool = cluster.cpu_pool
    gateway = None if context.access is None else context.access.gateway
    low, high = (
        cpu_nodes(pool.machine_type, context.head, context.routers, sum(count), gateway=gateway)
        for count in (
            [model.routers.min for model in models],
            [model.routers.max for model in models],
        )
    )
    path = "ray-llm:cluster.cpuPool.maxNodes"
    if low > pool.max_nodes:
        yield Problem(
            path=path,
            value=pool.max_nodes,
            reason=f"is below the {low} nodes of {pool.machine_type} that the Ray head and the "
            "routers of all models need at their minimum, so some models would have no router",
            remedy="Allow more nodes, or use a larger machineType",
            rule="cpu-pool-below-minimum",
            candidates=(use(path, low, f"use {low} or more"),),
        )
    elif high > pool.max_nodes:
        yield Problem(
            path=path,
            value=pool.max_nodes,
            reason=f"is below the {high} nodes of {pool.machine_type} that the routers need with "
            "all models at their maximum: requests would wait for a router although GPUs are free",
            remedy="Allow more nodes, or accept the cap",
            rule="cpu-pool-below-maximum",
            candidates=(use(path, high, f"use {high}"), outside("accept the cap")),
        )
