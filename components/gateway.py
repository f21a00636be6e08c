"""`Gateway`: the way in to a service, with keys, limits and one address for all models.

Envoy's pods read their keys, routes and limits from mounted files, so that an edit of one changes a
Secret or a ConfigMap and starts no pod anew. The network policy comes last: it closes the direct
way, which nobody needs once the gateway answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.certificate_hook import certificate_hook
from components.cluster_access import AccessOfProvider
from components.google_resource import GoogleResource
from components.kubernetes_object import COPIED_ANNOTATIONS, KubernetesObject
from manifests import AccessManifests, ExposureManifests, ManagedCertificate, keys_file
from rollouts import CertificateSecret

READY_TIMEOUT_SECONDS: Final = 1800
"""How long the pods may take: those of before end their streams, and a node may have to start."""

PROGRAMMED_TIMEOUT_SECONDS: Final = 1200
"""How long Google may take for a load balancer."""


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """What leads to the models, and the keys that it asks for.

    manifests: from `manifests.access_manifests(plan)`.
    keys: each team's key; they are stored in a Secret and nowhere else.
    after: what has to be there before the gateway changes, as the service does. It is no option of
        the component, because address and certificate need not wait for it.
    """

    manifests: AccessManifests
    keys: Mapping[str, pulumi.Input[str]]
    after: Sequence[pulumi.Resource] = ()


class Gateway(pulumi.ComponentResource):
    """A gateway and what leads to it.

    The Kubernetes provider comes through `opts`; Google's is needed by an external one alone.

    url: the base URL of all models, without `/v1`.
    address: the IP address to which the DNS record of the host has to point; empty without one.
    first_curl: a request for a first look; it has the key in $LLM_KEY.
    read_key: the command that sets $LLM_KEY; empty without keys.
    port_forward: brings a gateway that is not exposed to http://127.0.0.1:8080.
    """

    url: pulumi.Output[str]
    address: pulumi.Output[str]
    first_curl: pulumi.Output[str]
    read_key: pulumi.Output[str]
    port_forward: pulumi.Output[str]

    def __init__(
        self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:Gateway", name, None, opts)
        manifests, exposure = args.manifests, args.manifests.exposure
        missing = [
            key.team
            for key in manifests.plan.keys
            if key.secret_manager is None and key.team not in args.keys
        ]
        if missing:
            raise ValueError(
                f"Gateway {name}: no key is given for {', '.join(missing)}. Pass `keys`, as "
                "secrets."
            )
        pods = self._pods(name, args, args.after)
        address = self._address(name, exposure)
        service = _Service(
            f"{name}-service",
            exposure.service,
            pulumi.ResourceOptions(
                parent=self, depends_on=[*pods, *([address] if address else [])]
            ),
        )
        ways_in: list[pulumi.Resource] = [service]
        if exposure.objects:
            certificate = self._certificate(name, exposure)
            ways_in += self._google_gateway(
                name, exposure, [service, *certificate, *([address] if address else [])]
            )
        for policy in manifests.network_policies:
            KubernetesObject(
                f"{name}-{policy['metadata']['name']}",
                policy,
                pulumi.ResourceOptions(parent=self, depends_on=ways_in),
            )

        self.url = (
            pulumi.Output.from_input(exposure.url)
            if exposure.url is not None
            else service.status.apply(lambda status: _load_balancer_url(exposure, status))
        )
        self.address = address.address if address else pulumi.Output.from_input("")
        self.first_curl = self.url.apply(manifests.first_curl)
        self.read_key = pulumi.Output.from_input(manifests.read_key or "")
        self.port_forward = pulumi.Output.from_input(manifests.port_forward)
        self.register_outputs(
            {
                "url": self.url,
                "address": self.address,
                "firstCurl": self.first_curl,
                "readKey": self.read_key,
                "portForward": self.port_forward,
            }
        )

    def _pods(
        self, name: str, args: GatewayArgs, after: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        gateway = args.manifests.gateway
        # What they read comes before them; what they follow changes when the models have.
        first = pulumi.ResourceOptions(parent=self, depends_on=after)
        read: list[pulumi.Resource] = [
            KubernetesObject(f"{name}-start", gateway.start, first),
            KubernetesObject(f"{name}-routes", gateway.watched, first),
            self._keys(name, args, after),
            KubernetesObject(f"{name}-account", gateway.service_account, first),
            KubernetesObject(f"{name}-peers", gateway.peers, first),
        ]
        budget = KubernetesObject(f"{name}-disruption-budget", gateway.disruption_budget, first)
        deployment = KubernetesObject(
            f"{name}-pods",
            gateway.deployment,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=read,
                hooks=self._certificate_hook(f"{name}-pods", args.manifests),
                custom_timeouts=_timeouts(READY_TIMEOUT_SECONDS),
            ),
            annotations={"pulumi.com/timeoutSeconds": str(READY_TIMEOUT_SECONDS)},
        )
        return [deployment, budget]

    def _certificate_hook(
        self, name: str, manifests: AccessManifests
    ) -> pulumi.ResourceHookBinding | None:
        """Looks for the Secret of a gateway that ends TLS itself, which somebody else makes."""
        plan = manifests.plan
        if not plan.ends_tls or plan.certificate is None:
            return None
        secret = CertificateSecret(
            name=plan.certificate,
            namespace=manifests.gateway.deployment["metadata"]["namespace"],
            wait_minutes=READY_TIMEOUT_SECONDS // 60,
        )
        access = AccessOfProvider.of(self.get_provider("kubernetes:core/v1:Secret"))
        return certificate_hook(name, secret, access, self)

    def _keys(
        self, name: str, args: GatewayArgs, after: Sequence[pulumi.Resource]
    ) -> pulumi.Resource:
        gateway, plan = args.manifests.gateway, args.manifests.plan
        if gateway.external_keys is not None:
            return KubernetesObject(
                f"{name}-external-keys",
                gateway.external_keys,
                pulumi.ResourceOptions(parent=self, depends_on=after),
                annotations=COPIED_ANNOTATIONS,
            )
        values = {key.team: args.keys[key.team] for key in plan.keys}

        def written(known: Mapping[str, str]) -> str:
            return keys_file(plan, known)

        text: pulumi.Output[str] = pulumi.Output.all(**values).apply(written)
        return KubernetesObject(
            f"{name}-keys",
            gateway.keys,
            pulumi.ResourceOptions(parent=self, depends_on=after),
            values={"stringData": {gateway.keys_key: pulumi.Output.secret(text)}},
            # The API server answers with the keys in `data`, whatever was sent.
            secret_outputs=("data", "stringData"),
        )

    def _address(self, name: str, exposure: ExposureManifests) -> GoogleResource | None:
        """The address that an external gateway keeps, so that its DNS record stays right."""
        if exposure.address is None:
            return None
        values: dict[str, Any] = {"name": exposure.address, "project": exposure.project}
        kind = "gcp:compute/globalAddress:GlobalAddress"
        if exposure.certificate is None:
            kind, values = "gcp:compute/address:Address", {**values, "region": exposure.region}
        return GoogleResource(kind, f"{name}-address", values, pulumi.ResourceOptions(parent=self))

    def _certificate(self, name: str, exposure: ExposureManifests) -> list[pulumi.Resource]:
        certificate = exposure.certificate
        if certificate is None:
            return []
        project, opts = exposure.project, pulumi.ResourceOptions(parent=self)
        # Google looks at the host itself: as soon as its DNS record points to the address, the
        # load balancer proves that the host is ours.
        made = GoogleResource(
            "gcp:certificatemanager/certificate:Certificate",
            f"{name}-certificate",
            {
                "name": certificate.certificate,
                "project": project,
                "managed": {"domains": [certificate.host]},
            },
            opts,
        )
        whole = GoogleResource(
            "gcp:certificatemanager/certificateMap:CertificateMap",
            f"{name}-certificate-map",
            {"name": certificate.certificate_map, "project": project},
            opts,
        )
        return [whole, self._entry(name, certificate, project, whole, made)]

    def _entry(
        self,
        name: str,
        certificate: ManagedCertificate,
        project: str,
        whole: pulumi.CustomResource,
        made: pulumi.CustomResource,
    ) -> pulumi.Resource:
        return GoogleResource(
            "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry",
            f"{name}-certificate-map-entry",
            {
                "name": certificate.entry,
                "project": project,
                "map": certificate.certificate_map,
                "certificates": [made.id],
                "hostname": certificate.host,
            },
            pulumi.ResourceOptions(parent=self, depends_on=[whole, made]),
        )

    def _google_gateway(
        self, name: str, exposure: ExposureManifests, after: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        for manifest in exposure.objects:
            kind = manifest["kind"]
            programmed = {
                "pulumi.com/waitFor": "condition=Programmed",
                "pulumi.com/timeoutSeconds": str(PROGRAMMED_TIMEOUT_SECONDS),
            }
            made.append(
                KubernetesObject(
                    f"{name}-{kind.lower()}",
                    manifest,
                    pulumi.ResourceOptions(
                        parent=self,
                        depends_on=after,
                        custom_timeouts=_timeouts(PROGRAMMED_TIMEOUT_SECONDS),
                    ),
                    annotations=programmed if kind == "Gateway" else None,
                )
            )
        return made


class _Service(KubernetesObject):
    """The Service, whose status has the address of its load balancer."""

    status: pulumi.Output[Any]

    def __init__(self, name: str, manifest: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, manifest, opts, values={"status": None})


def _load_balancer_url(exposure: ExposureManifests, status: object) -> str:
    """The URL of a load balancer; without an address yet, the Service is named."""
    balancer = status.get("loadBalancer") if isinstance(status, Mapping) else None
    found = (balancer or {}).get("ingress") or [{}]
    host = found[0].get("ip") or found[0].get("hostname")
    [port] = exposure.service["spec"]["ports"]
    metadata = exposure.service["metadata"]
    name = f"{metadata['name']}.{metadata['namespace']}"
    default = {"http": 80, "https": 443}[exposure.scheme]
    suffix = "" if port["port"] == default else f":{port['port']}"
    return f"{exposure.scheme}://{host or name}{suffix}"


def _timeouts(seconds: int) -> pulumi.CustomTimeouts:
    return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s", delete="20m")
