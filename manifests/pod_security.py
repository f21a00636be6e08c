"""What pods may do: the namespace's Pod Security labels, and the security contexts of pods.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from typing import Any, Final

from models.service import PodSecurity
from planning import Plan

# The rules of one release, so that an upgrade of the control plane, which may bring stricter ones,
# keeps no pod from starting. What newer ones would refuse is warned of.
ENFORCED_RELEASE: Final = "v1.32"

# The user of the images of Ray. By number, because a kubelet that sees a name, as these images
# have it, cannot tell that it is not root, and does not start the container.
RAY_UID: Final = 1000
RAY_GID: Final = 100


def namespace_labels(plan: Plan) -> dict[str, str]:
    """The labels by which the API server refuses pods of the namespace, or warns of them.

    "restricted" is always what is warned of and written to the audit log.
    """
    prefix = "pod-security.kubernetes.io"
    return {
        f"{prefix}/enforce": plan.service.pod_security.value,
        f"{prefix}/enforce-version": ENFORCED_RELEASE,
        f"{prefix}/warn": PodSecurity.RESTRICTED.value,
        f"{prefix}/audit": PodSecurity.RESTRICTED.value,
    }


def restricted_pod() -> dict[str, Any]:
    """The security context of a pod of ours, by the standard "restricted"."""
    return {
        "runAsNonRoot": True,
        "runAsUser": RAY_UID,
        "runAsGroup": RAY_GID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_container(*, read_only: bool) -> dict[str, Any]:
    """The security context of a container, by the standard "restricted".

    read_only: whether the image's files cannot be changed; the standard does not ask for it.
    """
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        **({"readOnlyRootFilesystem": True} if read_only else {}),
    }


def ray_pod(plan: Plan, *, needs_token: bool = False) -> dict[str, Any]:
    """The part of a Ray pod's spec that keeps it within the plan's standard; empty for baseline.

    It is part of the RayClusterSpec, so that a change of it starts a second cluster.

    needs_token: whether something in the pod asks the Kubernetes API.
    """
    if plan.service.pod_security is not PodSecurity.RESTRICTED:
        return {}
    # Google's APIs need no token of Kubernetes: GKE's metadata server knows the pod.
    token = {} if needs_token else {"automountServiceAccountToken": False}
    return {"securityContext": restricted_pod(), **token}


def ray_container(plan: Plan) -> dict[str, Any]:
    """The same for a container of a Ray pod.

    The root file system stays writable: Ray, vLLM, Triton and Hugging Face's library keep caches
    and compiled kernels in several folders below it.
    """
    if plan.service.pod_security is not PodSecurity.RESTRICTED:
        return {}
    return {"securityContext": restricted_container(read_only=False)}
