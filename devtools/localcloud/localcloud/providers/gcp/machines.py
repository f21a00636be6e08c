"""The part of Google's machines, accelerators and zones that the stand-in needs.

This table represents Google. It is written from the public machine and zone
documentation (November 2026) and deliberately shares nothing with the product's
own catalogue, so that one reveals a mistake in the other. In regions other than
us-central1, only the form of a zone's name is checked, and every accelerator is
accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class AttachedGpu:
    """The GPUs that are part of a machine type."""

    accelerator: str
    count: int
    only_spot_or_flex_start: bool = False


def _attached() -> dict[str, AttachedGpu]:
    table: dict[str, AttachedGpu] = {}
    for vcpus, count in ((4, 1), (8, 1), (12, 1), (16, 1), (32, 1), (24, 2), (48, 4), (96, 8)):
        table[f"g2-standard-{vcpus}"] = AttachedGpu("nvidia-l4", count)
    for count in (1, 2, 4, 8):
        table[f"a2-highgpu-{count}g"] = AttachedGpu("nvidia-tesla-a100", count)
        table[f"a2-ultragpu-{count}g"] = AttachedGpu("nvidia-a100-80gb", count)
        table[f"a3-highgpu-{count}g"] = AttachedGpu("nvidia-h100-80gb", count, count < 8)
        table[f"g4-standard-{48 * count}"] = AttachedGpu("nvidia-rtx-pro-6000", count)
    table["a2-megagpu-16g"] = AttachedGpu("nvidia-tesla-a100", 16)
    table["a3-megagpu-8g"] = AttachedGpu("nvidia-h100-mega-80gb", 8)
    table["a3-ultragpu-8g"] = AttachedGpu("nvidia-h200-141gb", 8)
    table["a4-highgpu-8g"] = AttachedGpu("nvidia-b200", 8)
    return table


ATTACHED_GPUS: Final = _attached()

# GPUs that can be attached to N1 machines, with the counts that Google sells.
N1_ACCELERATORS: Final = {
    "nvidia-tesla-t4": (1, 2, 4),
    "nvidia-tesla-v100": (1, 2, 4, 8),
    "nvidia-tesla-p100": (1, 2, 4),
    "nvidia-tesla-p4": (1, 2, 4),
}

ACCELERATORS: Final = frozenset(
    {gpu.accelerator for gpu in ATTACHED_GPUS.values()} | set(N1_ACCELERATORS)
)

ZONES: Final = {"us-central1": frozenset("abcf")}
ACCELERATOR_ZONES: Final = {
    "us-central1": {
        "nvidia-tesla-t4": frozenset("abcf"),
        "nvidia-l4": frozenset("abc"),
        "nvidia-tesla-a100": frozenset("abcf"),
        "nvidia-a100-80gb": frozenset("ac"),
        "nvidia-h100-80gb": frozenset("abc"),
        "nvidia-h200-141gb": frozenset("b"),
        "nvidia-b200": frozenset("b"),
    }
}

_GENERAL: Final = (
    r"e2-(micro|small|medium)",
    r"e2-(standard|highmem)-(2|4|8|16)|e2-standard-32|e2-highcpu-(2|4|8|16|32)",
    r"n1-(standard|highmem|highcpu)-(2|4|8|16|32|64|96)|n1-standard-1",
    r"(n2|n2d)-(standard|highmem|highcpu)-(2|4|8|16|32|48|64|80|96|128|224)",
    r"(n4|n4d)-(standard|highmem|highcpu)-(2|4|8|16|32|48|64|80|96)",
    r"c4-(standard|highmem|highcpu)-(2|4|8|16|24|32|48|96|144|192|288)",
    r"((n1|n2|n2d|n4|n4d|e2)-)?custom-[0-9]+-[0-9]+(-ext)?",
    r"c3-(standard|highmem|highcpu)-(4|8|22|44|88|176)",
    r"(c3d|c4d)-(standard|highmem|highcpu)-(2|4|8|16|30|32|48|60|64|90|96|180|192|360|384)",
    r"(t2d|t2a)-standard-(1|2|4|8|16|32|48|60)",
    r"c4a-(standard|highmem|highcpu)-(1|2|4|8|16|32|48|64|72)",
    r"c2-standard-(4|8|16|30|60)|c2d-(standard|highmem|highcpu)-(2|4|8|16|32|56|112)",
    r"m1-(ultramem-(40|80|160)|megamem-96)|m3-(ultramem-(32|64|128)|megamem-(64|128))",
)
_GENERAL_MACHINE: Final = re.compile("|".join(f"(?:{pattern})" for pattern in _GENERAL))


def machine_exists(machine_type: str) -> bool:
    """Whether Compute Engine sells this machine type."""
    return machine_type in ATTACHED_GPUS or bool(_GENERAL_MACHINE.fullmatch(machine_type))


def region_of(location: str) -> str:
    """The region of a zone, or the region itself."""
    return re.sub(r"-[a-z]$", "", location)


def is_zone(location: str) -> bool:
    """Whether a location is a zone and not a region."""
    return bool(re.fullmatch(r"[a-z]+-[a-z]+\d+-[a-z]", location))


def zone_exists(zone: str) -> bool:
    """Whether Google has this zone; of an unknown region only the form is checked."""
    letters = ZONES.get(region_of(zone))
    return is_zone(zone) and (letters is None or zone[-1] in letters)


def accelerator_in_zone(accelerator: str, zone: str) -> bool:
    """Whether the zone has the accelerator; unknown combinations are allowed."""
    zones = ACCELERATOR_ZONES.get(region_of(zone), {}).get(accelerator)
    return zones is None or zone[-1] in zones
