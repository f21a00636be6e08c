"""From where a node reads the weights of a model."""

from enum import StrEnum


class WeightsPlace(StrEnum):
    """HUB: downloaded anew by each node. BUCKET: a bucket of Cloud Storage. DISK: a shared disk."""

    HUB = "hub"
    BUCKET = "bucket"
    DISK = "disk"
