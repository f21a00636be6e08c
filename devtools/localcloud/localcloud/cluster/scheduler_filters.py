"""Whether a pod could run on a node: requests, selectors, affinity and taints.

This is a small part of the scheduler's own filters. It decides which pool could
help a pending pod; the real scheduler then chooses the node.
"""

from fractions import Fraction

from localcloud.cluster.kubernetes_api import Object

Resources = dict[str, Fraction]

_SUFFIXES = {
    "m": Fraction(1, 1000),
    "k": Fraction(1000),
    "M": Fraction(1000**2),
    "G": Fraction(1000**3),
    "T": Fraction(1000**4),
    "Ki": Fraction(1024),
    "Mi": Fraction(1024**2),
    "Gi": Fraction(1024**3),
    "Ti": Fraction(1024**4),
}


def quantity(text: str | int | float) -> Fraction:
    """A Kubernetes quantity as a number of cores, bytes or devices."""
    value = str(text)
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if value.endswith(suffix):
            return Fraction(value.removesuffix(suffix)) * _SUFFIXES[suffix]
    return Fraction(value)


def quantities(resources: dict[str, str]) -> Resources:
    """All quantities of a resource list."""
    return {name: quantity(value) for name, value in resources.items()}


def subtract(free: Resources, request: Resources) -> Resources:
    """What is left of `free` without `request`."""
    return {name: value - request.get(name, Fraction(0)) for name, value in free.items()}


def fits(request: Resources, free: Resources) -> bool:
    """Whether the free resources cover the request."""
    return all(value <= free.get(name, Fraction(0)) for name, value in request.items() if value)


def pod_requests(pod: Object) -> Resources:
    """The scheduler's request of a pod: the sum of its containers or the largest init container."""
    total: Resources = {"pods": Fraction(1)}
    for container in pod["spec"]["containers"]:
        for name, value in quantities(_requests(container)).items():
            total[name] = total.get(name, Fraction(0)) + value
    for container in pod["spec"].get("initContainers", []):
        for name, value in quantities(_requests(container)).items():
            total[name] = max(total.get(name, Fraction(0)), value)
    return total


def _requests(container: Object) -> dict[str, str]:
    resources = container.get("resources", {})
    return {**resources.get("limits", {}), **resources.get("requests", {})}


def admits(pod: Object, node: Object) -> bool:
    """Whether the node's labels and taints admit the pod."""
    labels = node["metadata"].get("labels", {})
    selector = pod["spec"].get("nodeSelector", {})
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    terms = required.get("nodeSelectorTerms")
    if terms and not any(
        all(_matches(labels, e) for e in term.get("matchExpressions", [])) for term in terms
    ):
        return False
    tolerations = pod["spec"].get("tolerations", [])
    return all(
        any(_tolerates(toleration, taint) for toleration in tolerations)
        for taint in node["spec"].get("taints", [])
        # kwok and the node controller add these briefly and remove them again.
        if taint["effect"] in ("NoSchedule", "NoExecute")
        and not taint["key"].startswith("node.kubernetes.io/")
    )


def _matches(labels: dict[str, str], expression: Object) -> bool:
    key, operator = expression["key"], expression["operator"]
    values = expression.get("values", [])
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if key not in labels:
        return False
    number, limit = int(labels[key]), int(values[0])
    return number > limit if operator == "Gt" else number < limit


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    mine = (toleration.get("key"), toleration.get("value", ""))
    return mine == (taint["key"], taint.get("value", ""))
