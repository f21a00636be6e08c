"""By what the cost of a stack is told apart: `ray-llm:costAllocation`.

A label of ours goes to Google's bill (as a label of virtual machines and disks) and to Kubernetes
(as a label of nodes, of the namespace and of pods), so that it has to be one of both.
https://cloud.google.com/resource-manager/docs/labels-overview#requirements
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from models.invalid_value import InvalidValueError
from models.settings import Settings

_KEY: Final = re.compile(r"[a-z]([a-z0-9_-]{0,61}[a-z0-9])?")
_VALUE: Final = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
OWN_PREFIX: Final = "ray-llm-"
_RESERVED: Final = (OWN_PREFIX, "goog-", "k8s-")
# Google allows 64 on a resource, of which GKE and this program need some.
_MOST: Final = 32
_EMPTY: Final = "''"


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    if len(labels) > _MOST:
        raise InvalidValueError(
            f"has {len(labels)} labels, more than the {_MOST} that are allowed",
            f"Keep {_MOST} or fewer",
        )
    for key, value in labels.items():
        if not _KEY.fullmatch(key) or key.startswith(_RESERVED):
            raise InvalidValueError(
                f"has the key {key}, which cannot be a label of Google Cloud and of Kubernetes",
                "Use up to 63 lower case letters, digits, '-' and '_', a letter first, a letter or "
                f"digit last, and none of {', '.join(_RESERVED)} at its beginning",
            )
        if not _VALUE.fullmatch(value):
            raise InvalidValueError(
                f"has the value {value or _EMPTY} for {key}, which cannot be a label of Google "
                "Cloud and of Kubernetes",
                "Use up to 63 lower case letters, digits, '-' and '_', with a letter or digit at "
                "both ends",
            )
    return labels


class CostAllocationSettings(Settings):
    """Labels by which Google's bill, GKE cost allocation and OpenCost tell this stack's cost.

    labels: further ones than the stack's and the pool's names.
    pods: whether Ray's pods carry them too. That changes the RayClusterSpec, for which KubeRay
        starts a second Ray cluster; everything else here changes in place.
    """

    labels: Annotated[
        Mapping[str, str],
        AfterValidator(_labels),
        WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
    ] = Field(default_factory=dict)
    pods: bool = False
