"""What a node has for pods, and how large the one Ray pod of a GPU node may be.

Reserves as Google documents them for GKE Standard nodes and as the cluster autoscaler computes
them (kubernetes/autoscaler, cloudprovider/gce/reserved.go).
"""

import math
from dataclasses import dataclass

from models.catalog import GpuTier, MachineType
from planning.plan import PodResources

# DaemonSets of GKE on a GPU node (device plugin, DCGM, fluent-bit, metrics, CSI), an upper
# estimate from their requests: they are scheduled before our pod.
DAEMONSET_CPU = 0.5
DAEMONSET_MEMORY_GIB = 1.0

_MIB_PER_GIB = 1024
_EVICTION_MIB = 100


@dataclass(frozen=True, kw_only=True)
class Allocatable:
    """CPU and memory that the kubelet offers to pods, DaemonSets not yet deducted."""

    cpu: float
    memory_gib: float

    @property
    def cpu_for_pods(self) -> float:
        """CPUs that GKE's DaemonSets leave."""
        return self.cpu - DAEMONSET_CPU

    @property
    def memory_gib_for_pods(self) -> float:
        """GiB that GKE's DaemonSets leave."""
        return self.memory_gib - DAEMONSET_MEMORY_GIB


def allocatable(machine: MachineType) -> Allocatable:
    """Allocatable CPU and memory of a machine type on GKE.

    CPU reserve: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the
    rest. Memory: the kernel's share (1/64 of the machine, 16 MiB and 64 MiB), then kube-reserved
    25/20/10/6/2 % of the machine's memory in brackets up to 4000, 8000, 16000, 128000 MiB and
    beyond, then 100 MiB for eviction.
    """
    reserved_cpu = sum(
        (0.06, 0.01, 0.005, 0.005)[core] if core < 4 else 0.0025 for core in range(machine.vcpus)
    )
    physical_mib = machine.memory_gib * _MIB_PER_GIB
    capacity_mib = physical_mib - physical_mib / 64 - 16 - 64
    reserved_mib = 0.0
    lower = 0.0
    for upper, share in (
        (4000, 0.25),
        (8000, 0.20),
        (16000, 0.10),
        (128000, 0.06),
        (math.inf, 0.02),
    ):
        reserved_mib += max(0.0, min(physical_mib, upper) - lower) * share
        lower = upper
    return Allocatable(
        cpu=machine.vcpus - reserved_cpu,
        memory_gib=(capacity_mib - reserved_mib - _EVICTION_MIB) / _MIB_PER_GIB,
    )


def ray_pod(machine: MachineType, tier: GpuTier) -> PodResources:
    """The Ray pod that takes a GPU node whole: whole CPUs and GiB, rounded down, all GPUs."""
    room = allocatable(machine)
    return PodResources(
        cpu=max(1, math.floor(room.cpu_for_pods)),
        memory_gib=max(1, math.floor(room.memory_gib_for_pods)),
        gpus=tier.gpu_count,
    )
