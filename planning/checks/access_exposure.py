"""From where the gateway can be reached, and what that needs: a host, a certificate, a cluster.

A preview asks no cluster: what an adopted one lacks is said, so that the person who knows can look.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from models.access import MANAGED, AccessSettings, Exposure
from models.problems import Problem
from models.ways_out import WayOut, leave_out, use
from planning.checks.contexts import StackContext

_PATH: Final = "ray-llm:access"
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_LIMIT: Final = 63
_NAME_LIMIT: Final = 253
_NO_CERTIFICATE: Final = frozenset({"none", "no", "off", "false", "null"})
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def exposure_problems(context: StackContext) -> Iterable[Problem]:
    """A gateway for the internet without host or certificate; what another one cannot use."""
    access = context.settings.access
    if access is None:
        return
    if access.exposure is Exposure.EXTERNAL:
        yield from _host_problems(access, context.access_complete)
        yield from _certificate_problems(access, context.access_complete)
    else:
        yield from _unused_problems(access)


def _host_problems(access: AccessSettings, complete: bool) -> Iterator[Problem]:
    path, host = f"{_PATH}.host", access.host
    if host is None:
        if complete:
            yield Problem(
                path=path,
                reason="is missing, and a gateway for the internet needs the DNS name that its "
                "certificate is for",
                remedy="Write the name that will point to the gateway, llm.acme.example for "
                "instance, or use exposure: internal",
                rule="access-host",
                candidates=(_internal("use exposure: internal, which needs no name"),),
            )
        return
    reason = _why_no_host(host)
    if reason:
        bare = _bare(host)
        yield Problem(
            path=path,
            value=host,
            reason=reason,
            remedy="Write the DNS name alone, llm.acme.example for instance",
            rule="access-host",
            candidates=() if _why_no_host(bare) else (use(path, bare),),
        )


def _why_no_host(host: str) -> str:
    """Why a text is no name that a certificate can be made for; empty if it is one."""
    if _SCHEME.match(host):
        return "has a scheme, and a host is a name alone; the gateway answers by HTTPS only"
    if "/" in host:
        return "has a path, and a host is a name alone; clients add /v1"
    if host.startswith("*"):
        return "is a wildcard, and the gateway answers at one name"
    if re.fullmatch(r"[0-9.]+|\[?[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*\]?", host):
        return "is an IP address, and a certificate is made for a name"
    if ":" in host:
        return "has a port, and a host is a name alone; the gateway answers at 443"
    if "." not in host.strip("."):
        return "has no dot, and no certificate can be made for a name without a domain"
    if len(host) > _NAME_LIMIT or any(len(part) > _LABEL_LIMIT for part in host.split(".")):
        return f"is longer than DNS allows: {_LABEL_LIMIT} characters a part, {_NAME_LIMIT} in all"
    if not _SUBDOMAIN.fullmatch(host):
        return "is not a DNS name in lower case: letters, digits, '-' and '.'"
    return ""


def _bare(host: str) -> str:
    """The name in a URL or an address with a port, in lower case."""
    name = _SCHEME.sub("", host).partition("/")[0].rpartition("@")[2].partition(":")[0]
    return name.removeprefix("*.").strip(".").lower()


def _certificate_problems(access: AccessSettings, complete: bool) -> Iterator[Problem]:
    path, certificate = f"{_PATH}.certificate", access.certificate
    managed = use(path, MANAGED, f"use certificate: {MANAGED}, which Google makes and renews")
    if certificate is None or certificate in _NO_CERTIFICATE:
        if complete or certificate:
            yield Problem(
                path=path,
                value=certificate,
                reason=f"is {'no certificate' if certificate else 'missing'}, and keys that travel "
                "the internet without TLS can be read by everybody on their way",
                remedy=f"Write {MANAGED}, or the name of a Secret of type kubernetes.io/tls in "
                "the service's namespace",
                rule="access-certificate",
                candidates=(managed, _internal("use exposure: internal")),
            )
    elif len(certificate) > _NAME_LIMIT or not _SUBDOMAIN.fullmatch(certificate):
        yield Problem(
            path=path,
            value=certificate,
            reason="is not the name of a Secret: lower case letters, digits, '-' and '.'",
            remedy=f"Write {MANAGED}, or the name of a Secret of type kubernetes.io/tls in the "
            "service's namespace",
            rule="access-certificate",
            candidates=(managed,),
        )
    if access.security_policy and certificate not in (None, MANAGED):
        yield Problem(
            path=f"{_PATH}.securityPolicy",
            value=access.security_policy,
            reason="is for Google's load balancer that ends TLS, and with a certificate of its own "
            "the gateway ends TLS itself",
            remedy=f"Use certificate: {MANAGED}, or leave securityPolicy out",
            rule="access-unused",
            candidates=(managed, leave_out(f"{_PATH}.securityPolicy")),
        )


def _unused_problems(access: AccessSettings) -> Iterator[Problem]:
    """Keys of a gateway for the internet, on one that is not: a wish that nothing would fulfil."""
    stated = (
        (
            "host",
            access.host,
            "it answers at a name or an address that Google or the cluster gives",
        ),
        ("certificate", access.certificate, "it answers by HTTP"),
        (
            "securityPolicy",
            access.security_policy,
            "Cloud Armor guards load balancers of the internet",
        ),
    )
    for key, value, why in stated:
        if value is not None:
            yield Problem(
                path=f"{_PATH}.{key}",
                value=value,
                reason=f"is for a gateway with exposure: external, and this one has "
                f"{access.exposure}: {why}",
                remedy=f"Leave {key} out, or use exposure: external",
                rule="access-unused",
                candidates=(
                    leave_out(f"{_PATH}.{key}"),
                    use(f"{_PATH}.exposure", str(Exposure.EXTERNAL)),
                ),
            )


def _internal(words: str) -> WayOut:
    return use(f"{_PATH}.exposure", str(Exposure.INTERNAL), words)


def adopted_cluster_problems(context: StackContext) -> Iterable[Problem]:
    """What the gateway needs of an adopted cluster, which no file says.

    https://cloud.google.com/kubernetes-engine/docs/how-to/deploying-gateways#enable-gateway and
    https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy
    """
    access, cluster = context.settings.access, context.settings.cluster
    if access is None or not cluster.existing or not cluster.name:
        return
    if access.exposure is Exposure.EXTERNAL and access.certificate in (None, MANAGED):
        yield Problem(
            path=f"{_PATH}.exposure",
            value=str(access.exposure),
            reason="needs GKE's Gateway API, which an adopted cluster may not have on, and without "
            "it the load balancer is never made",
            remedy="See whether `kubectl get gatewayclass gke-l7-global-external-managed` finds "
            "it, switch it on with `gcloud container clusters update --gateway-api=standard` if "
            "not, and then accept this warning",
            rule="access-gateway-api",
        )
    yield Problem(
        path=_PATH,
        reason="closes the ports behind the gateway with NetworkPolicies, and in an adopted "
        "cluster that does not enforce them whoever runs a pod can pass by the gateway",
        remedy="See whether `gcloud container clusters describe` shows ADVANCED_DATAPATH or "
        "networkPolicy.enabled, and then accept this warning",
        rule="access-network-policy",
    )
