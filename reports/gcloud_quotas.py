"""The `quotas` section of a stack file, from gcloud's answers about the real project.

    gcloud beta quotas info list --service=compute.googleapis.com --format=json > quotas.json
    ray-llm quotas --region us-central1 quotas.json

This answer of the Cloud Quotas API has the quotas of all regions, those with a dimension included:
H100 and newer GPUs, N4 and newer machines. Two others have the rest, with what is in use:

    gcloud compute regions describe us-central1 --format=json > region.json
    gcloud compute project-info describe --format=json > project.json
    ray-llm quotas region.json project.json quotas.json

A region that is described need not be named. One answer can also be piped in.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.catalog import QUOTA_DIMENSIONS, quota_families, quota_keys, quota_metrics
from models.invalid_value import InvalidValueError
from models.quotas_and_prices import quota_limit
from models.reading import NAMESPACE
from reports.sources import SourceError

_INFO_LIST: Final = "gcloud beta quotas info list --service=compute.googleapis.com --format=json"
_REGION: Final = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_NO_LIMIT: Final = -1  # QuotaDetails.value in the Cloud Quotas API


class QuotaJsonError(SourceError):
    """Text that is not an answer of gcloud about quotas; its text says why."""


@dataclass(frozen=True, kw_only=True)
class _Limit:
    """A limit, and what is in use of it: 0 if the answer does not say."""

    limit: int
    usage: int = 0


def quota_section(texts: Iterable[tuple[str, str]], region: str | None = None) -> str:
    """YAML to paste below `config:`.

    texts: (origin, JSON) of each answer. region: that of the stack, if no answer describes one.
    Raises QuotaJsonError.
    """
    answers = [(origin, _parsed(origin, text)) for origin, text in texts]
    described = [name for _, answer in answers if (name := _described_region(answer))]
    region = region or next(iter(described), None)
    limits: dict[str, _Limit] = {}
    for origin, answer in answers:
        for quota, limit in _limits(origin, answer, region).items():
            # A description also says what is in use.
            if quota not in limits or limit.usage:
                limits[quota] = limit
    if not limits:
        raise QuotaJsonError(
            "gcloud's answer has none of the quotas that a stack needs. Give the answer of "
            f"`{_INFO_LIST}`."
        )
    return "".join(f"{line}\n" for line in _section(limits))


def _section(limits: Mapping[str, _Limit]) -> Iterable[str]:
    yield f"  {NAMESPACE}:quotas:"
    for key in quota_keys():
        if key in limits:
            yield _line(f"    {key}", limits[key])
        families = [name for name in quota_families(key) if f"{key}.{name}" in limits]
        if families:
            yield f"    {key}:"
            for name in families:
                yield _line(f"      {name}", limits[f"{key}.{name}"])
    if not any(quota.partition(".")[0] in QUOTA_DIMENSIONS for quota in limits):
        yield "    # H100 and newer GPUs, N4 and newer machines have quotas that are not in this"
        yield f"    # answer: add that of `{_INFO_LIST}`."


def _line(key: str, limit: _Limit) -> str:
    return f"{key}: {limit.limit}" + (f"  # {limit.usage} in use" if limit.usage else "")


def _parsed(origin: str, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise QuotaJsonError(f"{origin}: is nested too deeply for an answer of gcloud.") from None
    except ValueError as error:
        where = (
            f" (line {error.lineno}: {error.msg})"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise QuotaJsonError(
            f"{origin}: is not JSON{where}. Add --format=json to gcloud's command."
        ) from None


def _described_region(answer: object) -> str | None:
    """The region that `gcloud compute regions describe` describes."""
    name = answer.get("name") if isinstance(answer, dict) and "quotas" in answer else None
    return name if isinstance(name, str) and _REGION.fullmatch(name) else None


def _limits(origin: str, answer: object, region: str | None) -> dict[str, _Limit]:
    """The limits in one answer by quota."""
    if isinstance(answer, dict) and isinstance(answer.get("quotas"), list):
        return _described(answer["quotas"])
    infos = answer.get("quotaInfos", [answer]) if isinstance(answer, dict) else answer
    if not isinstance(infos, list) or not any(_is_quota_info(info) for info in infos):
        raise QuotaJsonError(
            f"{origin}: has no quotas. Give the JSON of `{_INFO_LIST}`, `gcloud compute regions "
            "describe` or `gcloud compute project-info describe`."
        )
    if region is None:
        raise QuotaJsonError(
            f"{origin}: holds the quotas of all regions. Add --region with that of the stack."
        )
    limits: dict[str, _Limit] = {}
    for info in infos:
        if _is_quota_info(info):
            limits |= _of_quota_info(info, region)
    return limits


def _described(rows: Iterable[Any]) -> dict[str, _Limit]:
    """Google writes "no limit" as an extremely high limit."""
    limits: dict[str, _Limit] = {}
    for row in rows:
        try:
            metric = str(row["metric"])
            if metric in quota_metrics():
                limits[metric] = _Limit(
                    limit=quota_limit(row["limit"]), usage=quota_limit(row.get("usage", 0))
                )
        except (InvalidValueError, KeyError, TypeError, AttributeError):
            continue
    return limits


def _is_quota_info(info: object) -> bool:
    return (
        isinstance(info, dict)
        and isinstance(info.get("metric"), str)
        and isinstance(info.get("dimensionsInfos"), list)
    )


def _of_quota_info(info: Mapping[str, Any], region: str) -> dict[str, _Limit]:
    """The limits of one QuotaInfo of the Cloud Quotas API in a region.

    https://cloud.google.com/docs/quotas/reference/rest/v1/projects.locations.services.quotaInfos
    """
    metric = info["metric"].rpartition("/")[2].upper()
    dimension = QUOTA_DIMENSIONS.get(metric)
    counted_by = set(info.get("dimensions") or ())
    if metric not in quota_keys() or not counted_by <= {"region", dimension}:
        return {}  # another quota of the metric, that of a zone for instance
    families = quota_families(metric) if dimension else ("",)
    limits: dict[str, _Limit] = {}
    for family in families:
        value = _value(info["dimensionsInfos"], region, dimension, family)
        if value is not None:
            limits[f"{metric}.{family}" if family else metric] = _Limit(limit=value)
    return limits


def _value(rows: Iterable[Any], region: str, dimension: str | None, family: str) -> int | None:
    """The value of the row that says most about this region and family; None for no limit.

    Precedence: both dimensions, the region alone, the family alone, neither
    (https://cloud.google.com/docs/quotas/configure-dimensions#dimension_precedence).
    """
    best: tuple[int, Any] | None = None
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        stated = row.get("dimensions") or {}
        places = row.get("applicableLocations") or [region]
        if not isinstance(stated, Mapping) or not isinstance(places, list):
            continue
        wanted = {"region": region, dimension: family}
        if any(wanted.get(name) != value for name, value in stated.items()):
            continue
        if region not in places and "global" not in places:
            continue
        rank = 2 * ("region" in stated) + (dimension in stated)
        if best is None or rank > best[0]:
            best = (rank, row.get("details"))
    try:
        value = int(best[1]["value"]) if best is not None else _NO_LIMIT
        return None if value == _NO_LIMIT else quota_limit(value)
    except (InvalidValueError, KeyError, TypeError, ValueError):
        return None
