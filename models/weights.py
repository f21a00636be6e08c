"""From where nodes read weights: `ray-llm:weights`."""

import re
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, model_validator

from models.bucket_folder import bucket_folder
from models.invalid_value import InvalidValueError
from models.names import ClaimName, NonEmpty
from models.settings import Settings

_BUCKET_NAME: Final = re.compile(r"[^/:]+(/.*)?")
# A region, or a place of several: us-central1, US, NAM4, ASIA1.
_LOCATION: Final = re.compile(r"[a-z]+-[a-z]+[0-9]+|us|eu|asia|(nam|eur|asia)[0-9]+")


class WeightsPlace(StrEnum):
    """HUB: downloaded anew by each node. BUCKET: a bucket of Cloud Storage. DISK: a shared disk."""

    HUB = "hub"
    BUCKET = "bucket"
    DISK = "disk"


def _url(value: object) -> object:
    """The URL of a bucket that is given by its name, with or without a folder."""
    if isinstance(value, str) and _BUCKET_NAME.fullmatch(value.strip()):
        return f"gs://{value.strip()}"
    return value


def _of_google(url: str) -> str:
    if not url.startswith("gs://") or url.startswith("gs://anonymous@"):
        raise InvalidValueError(
            "is no bucket of Cloud Storage, and nodes mount no other",
            "Write gs://<bucket> or gs://<bucket>/<folder>",
        )
    return bucket_folder(url)


def _location(location: str) -> str:
    if not _LOCATION.fullmatch(location.lower()):
        raise InvalidValueError(
            "is not a location of Cloud Storage",
            "Write a region such as us-central1, or US, EU, ASIA, or one such as NAM4",
        )
    return location.lower()


class WeightsSettings(Settings):
    """From where nodes read weights; by default each downloads them from the hub.

    bucket: `gs://NAME` or a folder of it; the stack makes the bucket and fills it.
    location: where the bucket lies; by default in the region of the stack.
    existing: whether the bucket is there; it is then filled, and never deleted.
    disk: the name of a PersistentVolumeClaim in the service's namespace that holds the weights.
    """

    bucket: Annotated[NonEmpty, AfterValidator(_of_google), BeforeValidator(_url)] | None = None
    location: Annotated[NonEmpty, AfterValidator(_location)] | None = None
    existing: bool = False
    disk: ClaimName | None = None

    @property
    def place(self) -> WeightsPlace:
        """Where the weights of a model are that says nothing else."""
        if self.bucket is not None:
            return WeightsPlace.BUCKET
        return WeightsPlace.HUB if self.disk is None else WeightsPlace.DISK

    @model_validator(mode="after")
    def _one_place(self) -> "WeightsSettings":
        if self.bucket is not None and self.disk is not None:
            raise InvalidValueError(
                "names a bucket and a disk, and weights are read from one of them",
                "Keep one of both",
                ("disk", None),
                ("bucket", None),
            )
        if self.bucket is None and self.disk is None and self.model_fields_set:
            raise InvalidValueError(
                "names neither a bucket nor a disk",
                "Write {bucket: gs://<bucket>}, {disk: <claim>}, or hub",
            )
        others = [key for key in ("location", "existing") if key in self.model_fields_set]
        if self.disk is not None and others:
            raise InvalidValueError(
                f"says {' and '.join(others)}, which only a bucket has",
                f"Remove {' and '.join(others)}",
                *((key, None) for key in others),
            )
        name = (self.bucket or "").removeprefix("gs://").partition("/")[0]
        if not self.existing and (name.startswith("goog") or "google" in name):
            raise InvalidValueError(
                f"names the bucket {name}, and only Google makes a bucket whose name begins with "
                "goog or holds google",
                "Give it another name. If it is there, say `existing: true` and its location",
            )
        if self.existing and self.location is None:
            raise InvalidValueError(
                "adopts a bucket without saying where it lies, and what its traffic costs depends "
                "on that",
                "Write the location that `gcloud storage buckets describe` shows",
            )
        return self


def weights_written_out(section: Any) -> Any:
    """The section with its short forms as a mapping: `hub`, or the URL of a bucket."""
    if section == WeightsPlace.HUB:
        return {}
    if section in (WeightsPlace.BUCKET, WeightsPlace.DISK):
        return {section: None}
    return {"bucket": section} if isinstance(section, str) else section
