"""What GKE refuses, and which changes make it replace a cluster or node pool.

The first half is what the plugin's own schema checks (enumerations). The second
half is what Google's API answers with 400. The stand-in reports both at preview;
the real plugin reports only the first half there. Force-new fields are those of
the provider's schema (`google-beta` container resources).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from localcloud.providers.diff import without_indexes
from localcloud.providers.gcp import machines

if TYPE_CHECKING:
    from collections.abc import Iterator

Problem = tuple[str, str]

_NODE_CONFIG_ENUMS: Final = {
    "taints.effect": ("NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"),
    "guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion": (
        "GPU_DRIVER_VERSION_UNSPECIFIED",
        "INSTALLATION_DISABLED",
        "DEFAULT",
        "LATEST",
    ),
    "guestAccelerators.gpuSharingConfig.gpuSharingStrategy": ("TIME_SHARING", "MPS"),
    "workloadMetadataConfig.mode": ("MODE_UNSPECIFIED", "GCE_METADATA", "GKE_METADATA"),
    "reservationAffinity.consumeReservationType": (
        "UNSPECIFIED",
        "NO_RESERVATION",
        "ANY_RESERVATION",
        "SPECIFIC_RESERVATION",
        "ANY_RESERVATION_THEN_FAIL",
    ),
    "sandboxConfig.sandboxType": ("gvisor",),
    "diskType": (
        "pd-standard",
        "pd-balanced",
        "pd-ssd",
        "hyperdisk-balanced",
        "hyperdisk-extreme",
        "hyperdisk-throughput",
        "hyperdisk-balanced-high-availability",
    ),
}
_POOL_ENUMS: Final = {
    "autoscaling.locationPolicy": ("BALANCED", "ANY"),
    "upgradeSettings.strategy": ("SURGE", "BLUE_GREEN", "SHORT_LIVED"),
    "placementPolicy.type": ("COMPACT",),
}
_CLUSTER_ENUMS: Final = {
    "releaseChannel.channel": ("UNSPECIFIED", "RAPID", "REGULAR", "STABLE", "EXTENDED"),
    "networkingMode": ("VPC_NATIVE", "ROUTES"),
    "datapathProvider": ("DATAPATH_PROVIDER_UNSPECIFIED", "LEGACY_DATAPATH", "ADVANCED_DATAPATH"),
    "gatewayApiConfig.channel": ("CHANNEL_DISABLED", "CHANNEL_EXPERIMENTAL", "CHANNEL_STANDARD"),
    "monitoringConfig.enableComponents": (
        "SYSTEM_COMPONENTS",
        "APISERVER",
        "SCHEDULER",
        "CONTROLLER_MANAGER",
        "STORAGE",
        "HPA",
        "POD",
        "DAEMONSET",
        "DEPLOYMENT",
        "STATEFULSET",
        "WORKLOADS",
        "KUBELET",
        "CADVISOR",
        "DCGM",
        "JOBSET",
    ),
    "loggingConfig.enableComponents": (
        "SYSTEM_COMPONENTS",
        "APISERVER",
        "CONTROLLER_MANAGER",
        "SCHEDULER",
        "KCP_CONNECTION",
        "KCP_SSHD",
        "KCP_HPA",
        "WORKLOADS",
    ),
}
ENUMS: Final = {
    "gcp:container/cluster:Cluster": {
        **_CLUSTER_ENUMS,
        **{f"nodeConfig.{path}": values for path, values in _NODE_CONFIG_ENUMS.items()},
    },
    "gcp:container/nodePool:NodePool": {
        **_POOL_ENUMS,
        **{f"nodeConfig.{path}": values for path, values in _NODE_CONFIG_ENUMS.items()},
    },
}

_NODE_CONFIG_FORCE_NEW: Final = (
    "advancedMachineFeatures",
    "bootDiskKmsKey",
    "confidentialNodes",
    "enableConfidentialStorage",
    "ephemeralStorageConfig",
    "ephemeralStorageLocalSsdConfig",
    "flexStart",
    "guestAccelerators",
    "hostMaintenancePolicy",
    "localNvmeSsdBlockConfig",
    "localSsdCount",
    "localSsdEncryptionMode",
    "maxRunDuration",
    "metadata",
    "minCpuPlatform",
    "nodeGroup",
    "oauthScopes",
    "preemptible",
    "reservationAffinity",
    "sandboxConfig",
    "secondaryBootDisks",
    "serviceAccount",
    "shieldedInstanceConfig",
    "soleTenantConfig",
    "spot",
)
FORCE_NEW: Final = {
    "gcp:container/cluster:Cluster": (
        "clusterIpv4Cidr",
        "confidentialNodes",
        "datapathProvider",
        "defaultMaxPodsPerNode",
        "description",
        "enableAutopilot",
        "enableKubernetesAlpha",
        "enableTpu",
        "initialNodeCount",
        "ipAllocationPolicy",
        "location",
        "masterAuth.clientCertificateConfig",
        "name",
        "network",
        "networkingMode",
        "privateClusterConfig.enablePrivateNodes",
        "privateClusterConfig.masterIpv4CidrBlock",
        "project",
        "subnetwork",
        *(f"nodeConfig.{path}" for path in (*_NODE_CONFIG_FORCE_NEW, "machineType", "diskType")),
    ),
    "gcp:certificatemanager/certificate:Certificate": ("managed", "name", "project", "scope"),
    "gcp:certificatemanager/certificateMap:CertificateMap": ("name", "project"),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": (
        "hostname",
        "map",
        "matcher",
        "name",
        "project",
    ),
    "gcp:compute/address:Address": ("addressType", "name", "project", "region"),
    "gcp:compute/globalAddress:GlobalAddress": ("addressType", "name", "project"),
    "gcp:container/nodePool:NodePool": (
        "cluster",
        "initialNodeCount",
        "location",
        "maxPodsPerNode",
        "name",
        "namePrefix",
        "networkConfig.createPodRange",
        "networkConfig.podIpv4CidrBlock",
        "networkConfig.podRange",
        "placementPolicy",
        "project",
        "queuedProvisioning",
        *(f"nodeConfig.{path}" for path in _NODE_CONFIG_FORCE_NEW),
    ),
}


def forces_new(type_: str, path: str) -> bool:
    """Whether a change at `path` makes the provider replace the resource."""
    plain = without_indexes(path)
    return any(plain == f or plain.startswith(f"{f}.") for f in FORCE_NEW.get(type_, ()))


def _at(value: Any, keys: list[str], path: str) -> Iterator[tuple[str, Any]]:
    """Every known scalar below `value` at a dotted path, including each item of a list."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _at(item, keys, f"{path}[{index}]")
    elif keys:
        if isinstance(value, dict) and keys[0] in value:
            child = f"{path}.{keys[0]}" if path else keys[0]
            yield from _at(value[keys[0]], keys[1:], child)
    elif isinstance(value, (str, int, float)):
        yield path, value


def enum_problems(type_: str, inputs: dict[str, Any]) -> Iterator[Problem]:
    """Values that the provider's schema does not list, in the plugin's words."""
    for dotted, allowed in ENUMS.get(type_, {}).items():
        for path, value in _at(inputs, dotted.split("."), ""):
            if value not in allowed:
                yield path, f"expected {path} to be one of {list(allowed)!r}, got {value}"


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def name_problems(name: Any, limit: int = 40) -> Iterator[Problem]:
    """GKE names: lower case letters, digits and hyphens, at most 40 characters."""
    if isinstance(name, str):
        if len(name) > limit:
            yield "name", f"GKE refuses names of more than {limit} characters, got {len(name)}"
        if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name):
            yield "name", f"must match [a-z]([-a-z0-9]*[a-z0-9])?, got {name!r}"


def node_config_problems(config: Any, zones: list[str]) -> Iterator[Problem]:
    """Machine, accelerator and zone combinations that do not exist."""
    if not isinstance(config, dict):
        return
    machine = config.get("machineType", "e2-medium")
    if not isinstance(machine, str):
        return
    path = "nodeConfig.machineType"
    if not machines.machine_exists(machine):
        yield path, f"machine type {machine} does not exist"
        return
    attached = machines.ATTACHED_GPUS.get(machine)
    in_use = [attached.accelerator] if attached else []
    for index, gpu in enumerate(config.get("guestAccelerators") or []):
        at = f"nodeConfig.guestAccelerators[{index}]"
        type_, count = gpu.get("type"), _number(gpu.get("count"))
        if type_ is None or count is None:  # not known yet
            continue
        if type_ not in machines.ACCELERATORS:
            yield f"{at}.type", f"accelerator type {type_} does not exist"
        elif attached and (type_, count) != (attached.accelerator, attached.count):
            yield (
                at,
                (
                    f"machine type {machine} has {attached.count} x {attached.accelerator}, "
                    f"not {count} x {type_}"
                ),
            )
        elif not attached and not machine.startswith("n1-"):
            yield at, f"machine type {machine} cannot have accelerators"
        elif not attached and count not in machines.N1_ACCELERATORS.get(type_, ()):
            yield at, f"machine type {machine} cannot have {count} x {type_}"
        else:
            in_use.append(type_)
    if (
        attached
        and attached.only_spot_or_flex_start
        and not (config.get("spot") or config.get("flexStart"))
    ):
        yield path, f"{machine} is sold as Spot or Flex-start only"
    for accelerator in dict.fromkeys(in_use):
        for zone in zones:
            exists = machines.zone_exists(zone)
            if exists and not machines.accelerator_in_zone(accelerator, zone):
                yield "nodeLocations", f"zone {zone} has no {accelerator}"
    yield from _provisioning_problems(config)
    for label in config.get("labels") or {}:
        if label.startswith(("cloud.google.com/gke-", "kubernetes.io/")):
            yield f'nodeConfig.labels["{label}"]', "this label is managed by GKE"


_LONGEST_FLEX_START: Final = 7 * 24 * 3600


def _provisioning_problems(config: dict[str, Any]) -> Iterator[Problem]:
    """Ways to pay that exclude each other."""
    flex, spot = config.get("flexStart") is True, config.get("spot") is True
    affinity = config.get("reservationAffinity") or {}
    reserved = affinity.get("consumeReservationType")
    at = "nodeConfig.reservationAffinity"
    if flex and spot:
        yield "nodeConfig.flexStart", "flex-start nodes cannot be spot"
    if flex and reserved != "NO_RESERVATION":
        yield at, "flex-start nodes need NO_RESERVATION"
    if spot and reserved == "SPECIFIC_RESERVATION":
        yield at, "spot nodes cannot consume a reservation"
    if reserved == "SPECIFIC_RESERVATION" and not (affinity.get("key") and affinity.get("values")):
        yield at, "a specific reservation needs key and values"
    duration = config.get("maxRunDuration")
    match = re.fullmatch(r"(\d+)s", duration) if isinstance(duration, str) else None
    if isinstance(duration, str) and match is None:
        yield "nodeConfig.maxRunDuration", f"must be seconds such as 3600s, got {duration}"
    elif match and flex and int(match[1]) > _LONGEST_FLEX_START:
        yield "nodeConfig.maxRunDuration", "flex-start nodes run for 7 days at most"


def zone_problems(location: Any, zones: list[str]) -> Iterator[Problem]:
    """Zones that do not exist or are outside the cluster's region."""
    for zone in zones:
        if not machines.zone_exists(zone):
            yield "nodeLocations", f"zone {zone} does not exist"
        elif isinstance(location, str) and machines.region_of(location) != machines.region_of(zone):
            yield "nodeLocations", f"zone {zone} is not in region {machines.region_of(location)}"
    if isinstance(location, str) and not re.fullmatch(r"[a-z]+-[a-z]+\d+(-[a-z])?", location):
        yield "location", f"location {location!r} does not exist"


def pool_problems(inputs: dict[str, Any]) -> Iterator[Problem]:
    """Node counts of a pool that GKE refuses or that contradict each other."""
    autoscaling = inputs.get("autoscaling")
    queued = (inputs.get("queuedProvisioning") or {}).get("enabled")
    flex = (inputs.get("nodeConfig") or {}).get("flexStart") is True
    if flex and not queued and (inputs.get("management") or {}).get("autoRepair") is not False:
        yield "management.autoRepair", "flex-start nodes are not repaired: set autoRepair to false"
    counts = {key: _number(inputs.get(key)) for key in ("initialNodeCount", "nodeCount")}
    for key, count in counts.items():
        if count is not None and count < 0:
            yield key, f"expected {key} to be at least (0), got {count}"
    if None not in counts.values() and counts["initialNodeCount"] != counts["nodeCount"]:
        yield "nodeCount", "nodeCount conflicts with a different initialNodeCount"
    if not isinstance(autoscaling, dict):
        return
    bounds = {
        key: _number(autoscaling.get(key))
        for key in ("minNodeCount", "maxNodeCount", "totalMinNodeCount", "totalMaxNodeCount")
    }
    for key, count in bounds.items():
        if count is not None and count < 0:
            yield f"autoscaling.{key}", f"expected {key} to be at least (0), got {count}"
    per_zone = bounds["minNodeCount"] or bounds["maxNodeCount"]
    total = bounds["totalMinNodeCount"] or bounds["totalMaxNodeCount"]
    if per_zone and total:
        yield "autoscaling", "per-zone and total node counts are mutually exclusive"
    for low, high in (("minNodeCount", "maxNodeCount"), ("totalMinNodeCount", "totalMaxNodeCount")):
        minimum, maximum = bounds[low] or 0, bounds[high]
        if maximum is not None and minimum > maximum:
            yield f"autoscaling.{low}", f"{low} {minimum} is above {high} {maximum}"
    if counts["nodeCount"] is not None:
        yield "nodeCount", "nodeCount fights the autoscaler; leave it out"


def cluster_problems(inputs: dict[str, Any]) -> Iterator[Problem]:
    """A cluster without nodes, or an Autopilot cluster with node settings."""
    if inputs.get("enableAutopilot") is True:
        for key in ("removeDefaultNodePool", "nodeConfig", "nodePools"):
            if inputs.get(key):
                yield key, f"{key} conflicts with enableAutopilot"
    elif not inputs.get("nodePools") and not inputs.get("initialNodeCount"):
        yield "initialNodeCount", "Cluster.initial_node_count must be greater than zero"
