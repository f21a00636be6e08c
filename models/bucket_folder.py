"""Which URLs name a folder of a bucket from which Ray Serve LLM loads LoRA adapters.

It takes every text that starts with gs:// or s3:// (LoraConfig and is_remote_path in 2.49.1 and
2.60.0) and fails at the first request for an adapter if there is no such folder. From 2.50.1 on it
takes Azure's URLs, too.
"""

import re
from collections.abc import Mapping
from typing import Final

from models.invalid_value import InvalidValueError

# `anonymous@` asks for access without credentials.
_URL: Final = re.compile(
    r"(?P<start>(?P<scheme>gs|s3)://(anonymous@)?)(?P<bucket>[^/]*)(?P<folder>.*)"
)
_FEWEST_LETTERS: Final = 3
_LONGEST_PART: Final = 63
_ADDRESS: Final = re.compile(r"[0-9]+(\.[0-9]+){3}")
# https://cloud.google.com/storage/docs/buckets#naming; old buckets of S3 may have capital letters.
_NAME: Final[Mapping[str, re.Pattern[str]]] = {
    "gs": re.compile(r"[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]"),
    "s3": re.compile(r"[A-Za-z0-9][-_.A-Za-z0-9]{1,253}[A-Za-z0-9]"),
}
_MEANT: Final[Mapping[str, str]] = {"gcs": "gs", "gs": "gs", "s3": "s3", "s3a": "s3", "s3n": "s3"}
_AZURE: Final = ("abfs", "abfss", "az", "azure")


def bucket_folder(path: str) -> str:
    """Return the URL without a slash at its end.

    Raises InvalidValueError if it cannot be the URL of a bucket or of a folder of one.
    """
    url = _URL.fullmatch(path)
    if url is None:
        raise _of_another_store(path)
    start, bucket, folder = url["start"], url["bucket"], url["folder"].rstrip("/")
    if not bucket:
        raise InvalidValueError("names no bucket", f"Write {start}<bucket>/<folder>")
    if len(bucket) < _FEWEST_LETTERS:
        raise InvalidValueError(
            f"names the bucket {bucket}, and the name of a bucket has at least {_FEWEST_LETTERS} "
            "characters",
            f"Write {start}<bucket>/<folder>",
        )
    name = _NAME[url["scheme"]]
    if not name.fullmatch(bucket):
        small = bucket.lower()
        raise InvalidValueError(
            f"names the bucket {bucket}, and no bucket can have that name",
            "Use lower case letters, digits, '-', '_' and '.', with a letter or digit at both ends",
            *((("", f"{start}{small}{folder}"),) if name.fullmatch(small) else ()),
        )
    if start == "gs://":
        _check_google(bucket)
    if any(step in (".", "..") for step in folder.split("/")):
        raise InvalidValueError(
            "has a . or .. in its path, which is no folder in a bucket",
            "Write the folder as the bucket has it",
        )
    if "//" in folder:
        raise InvalidValueError(
            "has an empty folder in its path, which Ray's file systems refuse",
            "Write one slash between folders",
            ("", f"{start}{bucket}{re.sub('/+', '/', folder)}"),
        )
    return f"{start}{bucket}{folder}"


def _check_google(bucket: str) -> None:
    """Raise for what Cloud Storage refuses besides: https://cloud.google.com/storage/docs/buckets."""
    long = next((part for part in bucket.split(".") if len(part) > _LONGEST_PART), None)
    if long is not None:
        reason = f"has {len(long)} characters without a dot, and a bucket at most {_LONGEST_PART}"
    elif _ADDRESS.fullmatch(bucket):
        reason = "is an IP address, and no bucket can have such a name"
    else:
        return
    raise InvalidValueError(reason, "Give the bucket another name")


def _of_another_store(path: str) -> InvalidValueError:
    scheme, colon, rest = path.partition("://")
    if colon and scheme.lower() in _AZURE:
        return InvalidValueError(
            "is in Azure's storage, for which the pods have no credentials",
            "Copy the adapters to a bucket and write gs://<bucket>/<folder>",
        )
    meant = _MEANT.get(scheme.lower()) if colon else None
    return InvalidValueError(
        "does not start with gs:// or s3://, and Ray Serve LLM loads adapters from a bucket only",
        "Write gs://<bucket>/<folder>" if meant is None else "Write the URL of the bucket",
        *(() if meant is None else (("", f"{meant}://{rest}"),)),
    )
