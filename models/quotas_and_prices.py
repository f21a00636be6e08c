"""Reads what a stack file says of quotas, prices, the budget and the load.

`quotas` is keyed by Compute Engine's quota metrics, `prices` by GPU tier or machine type. A metric
that counts by a dimension holds a limit for each of its families, or one number for all of them:

    ray-llm:quotas:
      NVIDIA_L4_GPUS: 8
      GPUS_PER_GPU_FAMILY: {NVIDIA_H100: 16, NVIDIA_B200: 0}

An unknown key is refused with the nearest name, because a misspelt one would check nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from models.catalog import (
    QUOTA_DIMENSIONS,
    gpu_tiers,
    machine_type,
    machine_types,
    metrics_counted_by_family,
    quota_families,
    quota_keys,
)
from models.invalid_value import InvalidValueError
from models.problems import Problem
from models.spelling import nearest, nearest_of
from models.ways_out import move, rename

_LARGEST: Final = 1_000_000_000  # of a limit or of USD: beyond it a typing mistake is certain


def quota_limit(value: object) -> int:
    """A limit as the file gives it. Raises InvalidValueError for all but whole numbers from 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValueError("is not a number", "Write the limit in digits without quotes")
    if not 0 <= value <= _LARGEST or value != int(value):
        raise InvalidValueError(
            "is not a whole number of 0 or more",
            "Write the limit in digits; leave out a quota without a limit",
        )
    return int(value)


def amount(value: object) -> Decimal:
    """A number above 0, or its text: `pulumi config set` writes every scalar as a text.

    Raises InvalidValueError for anything else.
    """
    number = _number(value)
    if number is not None and 0 < number <= _LARGEST:
        return number
    raise InvalidValueError("is not a number above 0", "Write it in digits")


def share(value: object) -> Decimal:
    """A number from 0 to 1, or its text. Raises InvalidValueError for anything else."""
    number = _number(value)
    if number is not None and 0 <= number <= 1:
        return number
    raise InvalidValueError("is not a number from 0 to 1", "Write for example 0.4")


def _number(value: object) -> Decimal | None:
    """A finite number, given as one or as its text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        # Through its text a float stays what was written: 0.1, not its binary neighbour.
        number = Decimal(str(value).strip() if isinstance(value, float | str) else value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def read_scalar(
    read: Callable[[object], Decimal], value: object, path: str
) -> tuple[Decimal | None, tuple[Problem, ...]]:
    """A scalar through `amount` or `share`; None with the problem if it is neither."""
    try:
        return read(value), ()
    except InvalidValueError as error:
        return None, (_invalid(path, value, error),)


def read_quotas(value: object, path: str) -> tuple[dict[str, int], tuple[Problem, ...]]:
    """The limits of a `quotas` section by quota, and what is wrong with the others.

    The quotas of families are keyed `GPUS_PER_GPU_FAMILY.NVIDIA_H100`; the metric alone has the
    limit of every family that has none of its own.
    """
    if not isinstance(value, Mapping):
        return {}, (_not_a_mapping(value, path, "`NVIDIA_L4_GPUS: 8` lines"),)
    limits: dict[str, int] = {}
    problems: list[Problem] = []
    for metric, limit in value.items():
        where = f"{path}.{metric}"
        if metric in QUOTA_DIMENSIONS and isinstance(limit, Mapping):
            families = quota_families(metric)
            for family, of_family in limit.items():
                if family not in families:
                    what = f"{QUOTA_DIMENSIONS[metric]} of {metric}"
                    problems.append(_unknown(f"{where}.{family}", str(family), families, what))
                else:
                    _read_limit(f"{metric}.{family}", of_family, path, limits, problems)
        elif metric in metrics_counted_by_family():
            problems.append(_counted_by_family(where, metric, limit))
        elif metric not in quota_keys():
            problems.append(_unknown(where, str(metric), quota_keys(), "quota metric"))
        else:
            _read_limit(metric, limit, path, limits, problems)
    return limits, tuple(problems)


def _read_limit(
    quota: str, limit: object, path: str, limits: dict[str, int], problems: list[Problem]
) -> None:
    try:
        limits[quota] = quota_limit(limit)
    except InvalidValueError as error:
        problems.append(_invalid(f"{path}.{quota}", limit, error))


def _counted_by_family(where: str, metric: str, limit: object) -> Problem:
    """The problem of a limit under a metric of its own where Google counts by family."""
    by, _, family = metrics_counted_by_family()[metric].partition(".")
    shown = limit if isinstance(limit, int) and not isinstance(limit, bool) else "..."
    return Problem(
        path=where,
        value=None if isinstance(limit, Mapping) else limit,
        reason=f"is under a name that no quota of a region has: Google counts {family} on demand "
        f"against {by}, apart by {QUOTA_DIMENSIONS[by]}",
        remedy=f"Write {by}: {{{family}: {shown}}}",
        rule="quota-by-family",
        candidates=()
        if isinstance(limit, Mapping)
        else (
            move(
                where,
                f"{where.rpartition('.')[0]}.{by}.{family}",
                f"write {by}: {{{family}: {shown}}}",
            ),
        ),
    )


def unknown_price_keys(keys: Iterable[object], path: str) -> Iterable[Problem]:
    """Keys of a `prices` section that name neither a GPU tier nor a machine type."""
    known = (*gpu_tiers(), *machine_types())
    for key in keys:
        if key not in known and machine_type(str(key)) is None:
            hint = (
                "Write a spot price as the key spot of its tier"
                if str(key).endswith("-spot")
                else ""
            )
            yield _unknown(f"{path}.{key}", str(key), known, "GPU tier or machine type", hint)


def _unknown(where: str, word: str, known: Iterable[str], what: str, hint: str = "") -> Problem:
    names = tuple(known)
    match = nearest_of(word, names)
    listed = ", ".join(names) if len(names) <= 30 else f"{', '.join(names[:12])} ..."
    return Problem(
        path=where,
        reason=f"is not a {what} of the catalogue",
        remedy=hint or nearest(word, names).strip() or f"Known: {listed}",
        rule="unknown-key",
        candidates=() if hint or match is None else (rename(where, match),),
    )


def _invalid(path: str, value: object, error: InvalidValueError) -> Problem:
    shown = "a mapping" if isinstance(value, Mapping) else value
    shown = "a list" if isinstance(value, list | tuple) else shown
    shown = "nothing" if value is None else shown
    rule = "wrong-type" if error.reason == "is not a number" else "invalid-value"
    return Problem(path=path, value=shown, reason=error.reason, remedy=error.remedy, rule=rule)


def _not_a_mapping(value: object, path: str, remedy: str) -> Problem:
    shown = "nothing" if value is None else value
    return Problem(
        path=path,
        value=shown,
        reason="is not a mapping of keys",
        remedy=f"Write {remedy}",
        rule="wrong-type",
    )
