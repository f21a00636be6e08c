"""The values of a pool's `capacity`: ways to pay for the same machine, in order of preference.

    capacity: [{reservation: team-l4, zone: us-central1-a}, on-demand, {flexStart: 7d}, spot]

What Google knows of a reservation is not asked, so the stack file states what is compared.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from models.invalid_value import InvalidValueError
from models.names import GKE_POOL_NODE_LIMIT, NonEmpty, Zone
from models.settings import Settings
from models.spelling import nearest_of

WAY_RULE: Final = "capacity-way"
TWICE_RULE: Final = "capacity-twice"
SPOT_RULE: Final = "capacity-and-spot"
LENGTH_RULE: Final = "flex-start-length"


class Buying(StrEnum):
    """How a node is paid for, by the words of the stack file."""

    RESERVATION = "reservation"
    ON_DEMAND = "on-demand"
    FLEX_START = "flexStart"
    SPOT = "spot"

    @property
    def ends(self) -> bool:
        """Whether Google takes its nodes back: spot at any time, flex-start after a stated time."""
        return self in (Buying.SPOT, Buying.FLEX_START)


# A flex-start VM runs from ten minutes to seven days:
# https://cloud.google.com/compute/docs/instances/about-flex-start-vms
LONGEST_FLEX_START: Final = "7d"
_SHORTEST_FLEX_START: Final = "10m"
_MOST_MEANT_AS_DAYS: Final = 8
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_EXAMPLES: Final = "on-demand, spot, {flexStart: 7d} or {reservation: NAME, zone: ZONE}"
_MEANT: Final[dict[str, Any]] = {
    "ondemand": Buying.ON_DEMAND.value,
    "standard": Buying.ON_DEMAND.value,
    "spot": Buying.SPOT.value,
    "preemptible": Buying.SPOT.value,
    "flex": {"flexStart": LONGEST_FLEX_START},
    "flexstart": {"flexStart": LONGEST_FLEX_START},
    "dws": {"flexStart": LONGEST_FLEX_START},
}


# A list's entries are words or mappings, which the type of one entry does not say.
CAPACITY_SCHEMA: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "anyOf": [
            {"enum": [Buying.ON_DEMAND.value, Buying.SPOT.value]},
            {
                "type": "object",
                "required": ["flexStart"],
                "properties": {"flexStart": {"type": "string", "pattern": "^[1-9][0-9]*[mhd]$"}},
                "additionalProperties": False,
            },
            {
                "type": "object",
                "required": ["reservation"],
                "properties": {
                    "reservation": {"type": "string"},
                    "zone": {"type": "string"},
                    "machineType": {"type": "string"},
                    "nodes": {"type": "integer", "minimum": 1, "maximum": GKE_POOL_NODE_LIMIT},
                },
                "additionalProperties": False,
            },
        ]
    },
}


def _length(value: object) -> object:
    """The text of a length; raises InvalidValueError for what is none, or not sold."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        days = f"{value:g}d" if 0 < value < _MOST_MEANT_AS_DAYS else ""
        raise InvalidValueError(
            "is a number without a unit",
            "Write minutes, hours or days",
            *((("", days),) if _is_sold(days) else ()),
            rule=LENGTH_RULE,
        )
    match = _LENGTH.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidValueError(
            "is not a length", "Write it as 12h or 7d", ("", LONGEST_FLEX_START), rule=LENGTH_RULE
        )
    text = match[0]
    if not _is_sold(text):
        longer = length_seconds(text) > length_seconds(LONGEST_FLEX_START)
        limit = LONGEST_FLEX_START if longer else _SHORTEST_FLEX_START
        raise InvalidValueError(
            f"is {'longer' if longer else 'shorter'} than Google lets a flex-start node run "
            f"({limit})",
            f"Write at {'most' if longer else 'least'} {limit}",
            ("", limit),
            rule=LENGTH_RULE,
        )
    return text


def _is_sold(text: str) -> bool:
    least, most = length_seconds(_SHORTEST_FLEX_START), length_seconds(LONGEST_FLEX_START)
    return _LENGTH.fullmatch(text) is not None and least <= length_seconds(text) <= most


def length_seconds(text: str) -> int:
    """The seconds of a length such as 7d, 12h or 90m."""
    return int(text[:-1]) * _SECONDS[text[-1]]


# A name, or the path by which a reservation of another project is shared.
_RESERVATION: Final = re.compile(
    r"(projects/[a-z][-a-z0-9:.]*/reservations/)?[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
)


def _reservation(name: str) -> str:
    if not _RESERVATION.fullmatch(name.strip()):
        raise InvalidValueError(
            "is not the name of a reservation",
            "Write its name, or projects/PROJECT/reservations/NAME if another project shares it",
            rule=WAY_RULE,
        )
    return name.strip()


class CapacityWay(Settings):
    """One way to pay for a pool's nodes; exactly one of the first four says which.

    reservation: its name, or `projects/PROJECT/reservations/NAME` if another project shares it.
    zone, machine_type, nodes: what was reserved, which nothing here can look up.
    flex_start: for how long a node runs, as 12h or 7d; then Google takes it back.
    """

    on_demand: bool | None = None
    spot: bool | None = None
    reservation: Annotated[str, AfterValidator(_reservation)] | None = None
    flex_start: Annotated[NonEmpty | None, BeforeValidator(_length)] = None
    zone: Zone | None = None
    machine_type: NonEmpty | None = None
    nodes: Annotated[int, Field(ge=1, le=GKE_POOL_NODE_LIMIT)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: object) -> object:
        """The words `on-demand` and `spot` stand alone."""
        if value == Buying.ON_DEMAND.value:
            return {"onDemand": True}
        if value == Buying.SPOT.value:
            return {"spot": True}
        if isinstance(value, Mapping | CapacityWay):
            return value
        meant = _way_meant(value) if isinstance(value, str) else None
        raise InvalidValueError(
            "is not a way to pay for a node",
            f"Write {_EXAMPLES}" if meant is None else "Write the nearest way that there is",
            *(() if meant is None else (("", meant),)),
            rule=WAY_RULE,
        )

    @model_validator(mode="after")
    def _one_way(self) -> "CapacityWay":
        stated = self._stated
        if len(stated) != 1:
            said = " and ".join(stated)
            raise InvalidValueError(
                f"says {said}, and an entry is one way" if stated else "names no way to pay",
                "Make an entry of each" if stated else f"Write {_EXAMPLES}",
                *((key, None) for key in stated[1:]),
                *((key, None) for key in stated[:1] if len(stated) > 1),
                rule=WAY_RULE,
            )
        others = {"zone": self.zone, "machineType": self.machine_type, "nodes": self.nodes}
        given = [key for key, value in others.items() if value is not None]
        if given and self.reservation is None:
            raise InvalidValueError(
                f"says {' and '.join(given)}, which only a reservation has",
                f"Leave out {' and '.join(given)}",
                *((key, None) for key in given[:1]),
                rule=WAY_RULE,
            )
        return self

    @property
    def _stated(self) -> list[str]:
        ways = {
            "onDemand": self.on_demand,
            "spot": self.spot,
            "reservation": self.reservation,
            "flexStart": self.flex_start,
        }
        return [key for key, value in ways.items() if value]

    @property
    def buying(self) -> Buying:
        """How it pays."""
        if self.reservation is not None:
            return Buying.RESERVATION
        if self.flex_start is not None:
            return Buying.FLEX_START
        return Buying.SPOT if self.spot else Buying.ON_DEMAND

    @property
    def flex_start_seconds(self) -> int | None:
        """For how long a node runs; None if nothing ends it."""
        return None if self.flex_start is None else length_seconds(self.flex_start)

    def repeats(self, other: "CapacityWay") -> bool:
        """Whether a pool cannot list both. Reservations of one name may lie in two stated zones."""
        same = (self.buying, self.reservation) == (other.buying, other.reservation)
        return same and (self.zone == other.zone or None in (self.zone, other.zone))

    @property
    def written(self) -> object:
        """The entry as a stack file has it."""
        if self.buying in (Buying.ON_DEMAND, Buying.SPOT):
            return self.buying.value
        return self.model_dump(by_alias=True, exclude_none=True)


def _way_meant(word: str) -> object:
    folded = word.strip().lower().replace("-", "").replace("_", "").replace(" ", "")
    if folded in _MEANT:
        return _MEANT[folded]
    near = nearest_of(folded, _MEANT)
    return None if near is None else _MEANT[near]
