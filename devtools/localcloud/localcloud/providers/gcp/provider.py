"""The `gcp` stand-in: clusters, node pools, and records of some other types.

Resources are kept per project and location in the local cloud's store, under
the ids that Google uses. As at Google, creating something that exists answers
409, and creating a node pool without its cluster answers 404. Other types than
these and `RECORDED` are refused.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import importlib.metadata
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from localcloud.faults import recorded
from localcloud.providers import diff
from localcloud.providers.gcp import gke, machines
from localcloud.providers.schema import Schema
from localcloud.providers.server import Diff, Failure, Provider, ProviderError, Resource
from localcloud.providers.wire import UNKNOWN, Secret, Unknown, has_unknown, known_part
from localcloud.store import CloudStore, cache_from_environment, home_from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTER: Final = "gcp:container/cluster:Cluster"
NODE_POOL: Final = "gcp:container/nodePool:NodePool"

# Only recorded: their inputs are checked against the SDK and nothing else.
RECORDED: Final = {
    "gcp:artifactregistry/repository:Repository": "repositories",
    "gcp:certificatemanager/certificate:Certificate": "certificates",
    "gcp:certificatemanager/certificateMap:CertificateMap": "certificateMaps",
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": "certificateMapEntries",
    "gcp:compute/address:Address": "regionalAddresses",
    "gcp:compute/globalAddress:GlobalAddress": "addresses",
    "gcp:compute/network:Network": "networks",
    "gcp:compute/router:Router": "routers",
    "gcp:compute/routerNat:RouterNat": "nats",
    "gcp:compute/subnetwork:Subnetwork": "subnetworks",
    "gcp:monitoring/alertPolicy:AlertPolicy": "alertPolicies",
    "gcp:monitoring/dashboard:Dashboard": "dashboards",
    "gcp:projects/iAMMember:IAMMember": "iamMembers",
    "gcp:projects/service:Service": "services",
    "gcp:serviceaccount/account:Account": "serviceAccounts",
    "gcp:serviceaccount/iAMMember:IAMMember": "serviceAccountMembers",
    "gcp:storage/bucket:Bucket": "buckets",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "bucketMembers",
}
MASTER_VERSION: Final = "1.34.1-gke.2037000"

# The path of a file with `endpoint` and `certificate` of a real control plane. If it is set, the
# cluster created here is that one, and there can be only one.
CONTROL_PLANE_VARIABLE: Final = "RAY_LLM_LOCALCLOUD_CONTROL_PLANE"
_ADDRESSES: Final = ("gcp:compute/address:Address", "gcp:compute/globalAddress:GlobalAddress")
_COMPUTED: Final = {
    CLUSTER: (
        "effectiveLabels",
        "endpoint",
        "labelFingerprint",
        "masterAuth",
        "masterVersion",
        "nodeVersion",
        "operation",
        "selfLink",
        "servicesIpv4Cidr",
        "network",
        "subnetwork",
    ),
    **dict.fromkeys(_ADDRESSES, ("address",)),
    NODE_POOL: ("instanceGroupUrls", "managedInstanceGroupUrls", "operation", "version"),
}


def _number_of(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def _control_plane() -> dict[str, str] | None:
    """The real control plane behind the cluster created here, if there is one."""
    path = os.environ.get(CONTROL_PLANE_VARIABLE)
    if not path:
        return None
    found: dict[str, str] = json.loads(Path(path).read_text(encoding="utf-8"))
    return found


def _authority() -> str:
    """The certificate of the authority of all control planes, in base64 as GKE sends it."""
    from localcloud.network import authority_file

    return base64.b64encode(authority_file(home_from_environment()).read_bytes()).decode()


def endpoint_of(cluster_id: str) -> str:
    """A cluster's stable address, from the range reserved for benchmarks (RFC 2544)."""
    number = _number_of(cluster_id)
    return f"198.18.{number % 256}.{number // 256 % 254 + 1}"


class GcpProvider(Provider):
    """Answers as pulumi-gcp would with Google Kubernetes Engine behind it."""

    name: ClassVar[str] = "gcp"
    version: ClassVar[str] = importlib.metadata.version("pulumi_gcp")

    def __init__(self) -> None:
        self.home = home_from_environment()
        self.store = CloudStore(self.home, "gcp")
        self.config: dict[str, Any] = {}

    def check_config(self, news: dict[str, Any]) -> list[Failure]:
        """Refuse arguments that the SDK's Provider does not have."""
        schema = self._schema("pulumi_gcp", "ProviderArgs")
        return [
            Failure(path, f"unknown provider argument {path}")
            for path in news
            if path not in schema.types[schema.root]["properties"] and path != "version"
        ]

    def diff_config(self, olds: dict[str, Any], news: dict[str, Any]) -> Diff:
        """A new project replaces the provider's resources; new credentials only update it."""
        return Diff(diff.detailed(_public(olds), _public(news), lambda path: path == "project"))

    def configure(self, args: dict[str, Any]) -> None:
        """Store project, region and zone, with defaults from the plugin's variables."""
        self.config = dict(args)
        for key, variable in (
            ("project", "GOOGLE_PROJECT"),
            ("region", "GOOGLE_REGION"),
            ("zone", "GOOGLE_ZONE"),
        ):
            if not self.config.get(key) and os.environ.get(variable):
                self.config[key] = os.environ[variable]

    def check(
        self, res: Resource, olds: dict[str, Any], news: dict[str, Any], seed: bytes
    ) -> tuple[dict[str, Any], list[Failure]]:
        """Fill in the name, then refuse what the plugin or Google would refuse."""
        problems = list(self._args_schema(res.type).problems(news))
        inputs = copy.deepcopy(news)
        defaults: list[str] = []
        if res.type in (CLUSTER, NODE_POOL) and "name" not in inputs:
            old_name = olds.get("name") if "name" in (olds.get("__defaults") or []) else None
            inputs["name"] = old_name or f"{res.name}-{(seed or os.urandom(8)).hex()[:7]}"
            defaults.append("name")
        inputs["__defaults"] = defaults
        if not problems:
            problems += self._refusals(res.type, inputs)
            if res.type == CLUSTER and not olds:
                content = self.store.read()
                second = _second_cluster(self._id(res, inputs), content)
                problems += [("name", reason) for reason in second]
        return inputs, [Failure(path, reason) for path, reason in dict.fromkeys(problems)]

    def diff(self, res: Resource, old_inputs: dict[str, Any], news: dict[str, Any]) -> Diff:
        """Compare inputs; a resource with an explicit name is deleted before its replacement."""
        changes = diff.detailed(
            _public(old_inputs), _public(news), lambda path: gke.forces_new(res.type, path)
        )
        named = "name" in news and "name" not in (news.get("__defaults") or [])
        same_name = old_inputs.get("name") == news.get("name")
        replaces = any(replace for _, replace in changes.values())
        return Diff(changes, delete_before_replace=replaces and named and same_name)

    def create(
        self, res: Resource, inputs: dict[str, Any], preview: bool
    ) -> tuple[str, dict[str, Any]]:
        """Create in the store; at preview, computed outputs are unknown."""
        if preview:
            unknown = dict.fromkeys(_COMPUTED.get(res.type, ()), UNKNOWN)
            return "", {**_public(inputs), **self._place(inputs), **unknown}
        with recorded(self.home, self.name, "create", res.type, res.name) as entry:
            with self.store.transaction() as content:
                id_ = self._id(res, inputs)
                if id_ in content:
                    msg = f"googleapi: Error 409: Already exists: {id_}, alreadyExists"
                    raise ProviderError(msg)
                self._refuse_orphan_pool(res.type, inputs, content)
                if res.type == CLUSTER:
                    for reason in _second_cluster(id_, content):
                        raise ProviderError(reason)
                content[id_] = {"type": res.type, "inputs": inputs}
            entry["id"] = id_
        return id_, self._outputs(res.type, id_, inputs)

    def read(
        self, res: Resource, id_: str, state: dict[str, Any], inputs: dict[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Read from the store; used by refresh, import and `Cluster.get`."""
        del state
        full_id = self._full_id(res.type, id_)
        found = self.store.read().get(full_id)
        if found is None or found["type"] != res.type:
            if not inputs:
                msg = f"googleapi: Error 404: Not found: {full_id}, notFound"
                raise ProviderError(msg)
            return "", {}, {}
        return full_id, self._outputs(res.type, full_id, found["inputs"]), found["inputs"]

    def update(
        self,
        res: Resource,
        id_: str,
        old_inputs: dict[str, Any],
        inputs: dict[str, Any],
        preview: bool,
    ) -> dict[str, Any]:
        """Replace the stored inputs."""
        del old_inputs
        if preview:
            return self._outputs(res.type, id_, inputs)
        with recorded(self.home, self.name, "update", res.type, res.name) as entry:
            entry["id"] = id_
            with self.store.transaction() as content:
                if id_ not in content:
                    msg = f"googleapi: Error 404: Not found: {id_}, notFound"
                    raise ProviderError(msg)
                content[id_] = {"type": res.type, "inputs": inputs}
        return self._outputs(res.type, id_, inputs)

    def delete(self, res: Resource, id_: str, inputs: dict[str, Any]) -> None:
        """Delete it; a cluster's node pools and Kubernetes objects are deleted with it."""
        if res.type == CLUSTER and inputs.get("deletionProtection", True) not in (False, "false"):
            msg = (
                "Cannot destroy cluster because deletion_protection is set to true. "
                "Set it to false to proceed with cluster deletion."
            )
            raise ProviderError(msg)
        with recorded(self.home, self.name, "delete", res.type, res.name) as entry:
            entry["id"] = id_
            with self.store.transaction() as content:
                content.pop(id_, None)
                if res.type == CLUSTER:
                    for pool in [key for key in content if key.startswith(f"{id_}/nodePools/")]:
                        del content[pool]
            if res.type == CLUSTER:
                with CloudStore(self.home, "kubernetes").transaction() as clusters:
                    clusters.pop(f"https://{endpoint_of(id_)}", None)

    def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        """Answer `getCluster` for clusters that exist, and `getClientConfig`."""
        if token == "gcp:container/getCluster:getCluster":  # noqa: S105 - a function's token
            id_ = self._id(Resource("", CLUSTER, ""), args)
            found = self.store.read().get(id_)
            if found is None:
                msg = f"googleapi: Error 404: Not found: {id_}, notFound"
                raise ProviderError(msg)
            outputs = self._outputs(CLUSTER, id_, found["inputs"])
            return {**outputs, "masterAuths": [outputs["masterAuth"]], "id": id_}
        if token == "gcp:organizations/getClientConfig:getClientConfig":  # noqa: S105 - as above
            return {
                **{key: self.config.get(key, "") for key in ("project", "region", "zone")},
                "accessToken": Secret("local-cloud"),
                "defaultLabels": {},
                "id": f"projects/{self.config.get('project', '')}",
            }
        return super().invoke(token, args)

    def _schema(self, module: str, args_class: str) -> Schema:
        return Schema.load(cache_from_environment(), module, args_class, self.version)

    def _args_schema(self, type_: str) -> Schema:
        if type_ not in (CLUSTER, NODE_POOL, *RECORDED):
            msg = (
                f"the local cloud has no {type_}; add it to RECORDED in "
                "localcloud/providers/gcp/provider.py if recording it is enough."
            )
            raise ProviderError(msg)
        module, _, class_name = type_.removeprefix("gcp:").partition(":")
        return self._schema(f"pulumi_gcp.{module.partition('/')[0]}", f"{class_name}Args")

    def _refusals(self, type_: str, inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
        yield from gke.enum_problems(type_, inputs)
        if type_ not in (CLUSTER, NODE_POOL):
            return
        place = self._place(inputs)
        for key in ("project", "location"):
            if not place[key]:
                yield key, f"{key}: required field is not set"
        location, known = place["location"], known_part(inputs)
        zones = known.get("nodeLocations") or []
        yield from gke.zone_problems(location, zones)
        if not zones and isinstance(location, str) and machines.is_zone(location):
            zones = [location]
        if type_ == NODE_POOL:
            yield from gke.name_problems(inputs.get("name"))
            yield from gke.pool_problems(inputs)
            yield from gke.node_config_problems(known.get("nodeConfig"), zones)
        else:
            yield from gke.name_problems(inputs.get("name"))
            yield from gke.cluster_problems(inputs)
            if not inputs.get("removeDefaultNodePool"):
                yield from gke.node_config_problems(known.get("nodeConfig"), zones)

    def _place(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Project and location, from the inputs, the cluster's id or the provider."""
        cluster = inputs.get("cluster")
        match = re.fullmatch(
            r"projects/([^/]+)/locations/([^/]+)/clusters/[^/]+",
            cluster if isinstance(cluster, str) else "",
        )
        defaults = match.groups() if match else (None, None)
        if isinstance(cluster, Unknown):
            defaults = (UNKNOWN, UNKNOWN)
        return {
            "project": inputs.get("project") or defaults[0] or self.config.get("project"),
            "location": inputs.get("location")
            or defaults[1]
            or self.config.get("zone")
            or self.config.get("region"),
        }

    def _cluster_id(self, inputs: dict[str, Any], name: str) -> str:
        place = self._place(inputs)
        return f"projects/{place['project']}/locations/{place['location']}/clusters/{name}"

    def _id(self, res: Resource, inputs: dict[str, Any]) -> str:
        if res.type == CLUSTER:
            return self._cluster_id(inputs, inputs["name"])
        if res.type == NODE_POOL:
            cluster = inputs["cluster"].rsplit("/", 1)[-1]
            return f"{self._cluster_id(inputs, cluster)}/nodePools/{inputs['name']}"
        project = inputs.get("project") or self.config.get("project")
        fields = ("name", "accountId", "service", "member", "repositoryId")
        parts = [str(inputs[key]) for key in fields if key in inputs] or [res.name]
        if "role" in inputs:
            parts.append(str(inputs["role"]))
        return f"projects/{project}/{RECORDED[res.type]}/{'/'.join(parts)}"

    def _full_id(self, type_: str, id_: str) -> str:
        """Google's full id for the short forms that `get` and import also take."""
        if type_ != CLUSTER or id_.startswith("projects/"):
            return id_
        parts = id_.split("/")
        name, location, project = (*reversed(parts), None, None)[:3]
        inputs = {"project": project, "location": location}
        return self._cluster_id(inputs, str(name))

    def _refuse_orphan_pool(
        self, type_: str, inputs: dict[str, Any], content: dict[str, Any]
    ) -> None:
        if type_ != NODE_POOL:
            return
        cluster = self._cluster_id(inputs, inputs["cluster"].rsplit("/", 1)[-1])
        if cluster not in content:
            msg = f"googleapi: Error 404: Not found: {cluster}., notFound"
            raise ProviderError(msg)
        if not inputs.get("nodeLocations"):
            zones = content[cluster]["inputs"].get("nodeLocations") or []
            problems = list(gke.node_config_problems(inputs.get("nodeConfig"), zones))
            if problems:
                msg = f"googleapi: Error 400: {problems[0][1]}., badRequest"
                raise ProviderError(msg)

    def _outputs(self, type_: str, id_: str, inputs: dict[str, Any]) -> dict[str, Any]:
        public = {**_public(inputs), **self._place(inputs)}
        if has_unknown(inputs):
            return {**public, **dict.fromkeys(_COMPUTED.get(type_, ()), UNKNOWN)}
        if type_ == CLUSTER:
            return {**public, **_cluster_outputs(id_, inputs)}
        if type_ == NODE_POOL:
            return {**public, **_node_pool_outputs(id_, inputs)}
        # From a range that is reserved for documentation (RFC 5737).
        given = {"address": f"203.0.113.{_number_of(id_) % 254 + 1}"} if type_ in _ADDRESSES else {}
        return {**given, **_public(inputs), "selfLink": f"https://www.googleapis.com/{id_}"}


def _second_cluster(id_: str, content: dict[str, Any]) -> Iterator[str]:
    """Why this cluster cannot be created: the one real cluster is another one."""
    if _control_plane() is None:
        return
    for other, entry in content.items():
        if entry["type"] == CLUSTER and other != id_:
            yield (
                f"the local cluster is already used as {entry['inputs']['name']}: destroy that "
                "stack first, or stop the local cluster to write only records."
            )


def _public(inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if not key.startswith("__")}


def _cluster_outputs(id_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    version = inputs.get("minMasterVersion") or MASTER_VERSION
    real = _control_plane()
    project, location = id_.split("/")[1], id_.split("/")[3]
    return {
        "deletionProtection": inputs.get("deletionProtection", True),
        "effectiveLabels": inputs.get("resourceLabels") or {},
        "endpoint": real["endpoint"] if real else endpoint_of(id_),
        "labelFingerprint": f"{_number_of(repr(inputs.get('resourceLabels'))) % 16**8:08x}",
        "masterAuth": {
            "clientCertificate": "",
            "clientCertificateConfig": {"issueClientCertificate": False},
            "clientKey": Secret(""),
            "clusterCaCertificate": real["certificate"] if real else _authority(),
        },
        "masterVersion": version,
        "nodeVersion": inputs.get("nodeVersion") or version,
        "selfLink": f"https://container.googleapis.com/v1/{id_}",
        "servicesIpv4Cidr": "34.118.224.0/20",
        # GKE answers with paths, those of the network `default` if none was named.
        "network": inputs.get("network") or f"projects/{project}/global/networks/default",
        "subnetwork": inputs.get("subnetwork")
        or f"projects/{project}/regions/{machines.region_of(location)}/subnetworks/default",
    }


def _node_pool_outputs(id_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    project, location = id_.split("/")[1], id_.split("/")[3]
    zones = inputs.get("nodeLocations") or [location]
    base = f"https://www.googleapis.com/compute/v1/projects/{project}/zones"
    group = f"gke-{inputs['name']}-{_number_of(id_) % 16**8:08x}-grp"
    return {
        "instanceGroupUrls": [f"{base}/{z}/instanceGroupManagers/{group}" for z in zones],
        "managedInstanceGroupUrls": [f"{base}/{z}/instanceGroups/{group}" for z in zones],
        "version": inputs.get("version") or MASTER_VERSION,
    }
