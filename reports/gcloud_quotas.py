"""The `quotas` section of a stack file, from gcloud's description of the real project.

    gcloud compute regions describe us-central1 --format=json > region.json
    gcloud compute project-info describe --format=json > project.json
    ray-llm quotas region.json project.json

The region has the GPU, disk and vCPU quotas; the project has the quotas over all regions. The
output of either command can also be piped in.
"""

import json
from collections.abc import Iterable
from typing import Any

from models.catalog import quota_metrics
from models.quotas_and_prices import quota_limit
from models.reading import NAMESPACE
from models.stack import InvalidValueError
from reports.sources import SourceError


class QuotaJsonError(SourceError):
    """Text that is not gcloud's description of a region or a project; its text says why."""


def quota_section(texts: Iterable[tuple[str, str]]) -> str:
    """YAML to paste below `config:`.

    texts: (origin, JSON) of each description. Raises QuotaJsonError.
    """
    rows: dict[str, tuple[int, int]] = {}
    for origin, text in texts:
        rows |= _rows(origin, text)
    lines = [f"  {NAMESPACE}:quotas:"]
    for metric in quota_metrics():
        if metric in rows:
            limit, usage = rows[metric]
            lines.append(f"    {metric}: {limit}" + (f"  # {usage} in use" if usage else ""))
    if len(lines) == 1:
        raise QuotaJsonError(
            "gcloud's answer has none of the quotas that a stack needs. Describe a region with "
            "`gcloud compute regions describe REGION --format=json`."
        )
    return "\n".join(lines) + "\n"


def _rows(origin: str, text: str) -> dict[str, tuple[int, int]]:
    """Limit and usage by metric. Google writes "no limit" as an extremely high limit."""
    try:
        data: Any = json.loads(text)
    except RecursionError:
        raise QuotaJsonError(f"{origin}: is nested too deeply for an answer of gcloud.") from None
    except json.JSONDecodeError as error:
        raise QuotaJsonError(
            f"{origin}: is not JSON (line {error.lineno}: {error.msg}). Add --format=json to "
            "gcloud's command."
        ) from None
    quotas = data.get("quotas") if isinstance(data, dict) else None
    if not isinstance(quotas, list):
        raise QuotaJsonError(
            f"{origin}: has no quotas. Give the JSON of `gcloud compute regions describe` or "
            "`gcloud compute project-info describe`."
        )
    rows: dict[str, tuple[int, int]] = {}
    for row in quotas:
        try:
            limit = quota_limit(row["limit"])
            rows[str(row["metric"])] = (limit, quota_limit(row.get("usage", 0)))
        except (InvalidValueError, KeyError, TypeError, AttributeError):
            continue
    return rows
