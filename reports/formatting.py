"""Numbers of a plan as people read them: money, ranges, memory, zones. Used by every report."""

from collections.abc import Iterable, Sequence
from typing import Final

from planning import GIB
from reports.plan_data import Amounts

UNKNOWN: Final = "unknown"  # a price that the catalogue does not have


def usd(amount: float | None) -> str:
    """Whole USD, with thousands separated."""
    return UNKNOWN if amount is None else f"{amount:,.0f}"


def usd_columns(amounts: Amounts | None) -> tuple[str, str, str]:
    """USD at the minimum, in a typical month and at the maximum."""
    if amounts is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    return usd(amounts["minimum"]), usd(amounts["typical"]), usd(amounts["maximum"])


def usd_per_hour(amount: float | None) -> str:
    """USD an hour, to the cent."""
    return UNKNOWN if amount is None else f"{amount:.2f}"


def span(low: float, high: float, between: str = "-") -> str:
    """A range of whole numbers, or one number if both ends are the same."""
    first, last = f"{low:.0f}", f"{high:.0f}"
    return first if first == last else f"{first}{between}{last}"


def open_span(ends: Sequence[int | None]) -> str:
    """A range of whole numbers whose upper end may not be known: `180-480`, `180-?`."""
    least, most = ends
    return f"{least}-?" if most is None else span(least or 0, most)


def count(number: int | None, missing: str = "0") -> str:
    """A whole number with thousands separated; `missing` for None."""
    return missing if number is None else f"{number:,}"


def signed(number: int) -> str:
    """A difference of whole numbers, with its sign."""
    return f"{number:+,}" if number else "0"


def gib(size_bytes: int) -> str:
    """GiB, to one decimal."""
    return f"{size_bytes / GIB:.1f}"


def zone_letters(zones: Iterable[str]) -> str:
    """The letters of zones of one region: `us-central1-a` is `a`."""
    return ", ".join(zone.rsplit("-", 1)[1] for zone in zones)


def parallelism(tensor: int, pipeline: int) -> str:
    """The tensor-parallel degree, and the pipeline-parallel one if it is above 1: `4x2`."""
    return f"{tensor}x{pipeline}" if pipeline > 1 else str(tensor)
