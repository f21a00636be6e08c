"""Compute Engine machine types that a stack can use, with vCPUs and memory in GiB.

Rows are in machine_types.yaml.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated

from annotated_types import Gt
from pydantic import BaseModel, ConfigDict

from models.catalog import data_file


class MachineType(BaseModel):
    """One machine type; `local_ssd` says that SSDs are part of the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    vcpus: Annotated[int, Gt(0)]
    memory_gib: Annotated[int, Gt(0)]
    local_ssd: bool = False


@cache
def machine_types() -> Mapping[str, MachineType]:
    """Return the machine types by id."""
    rows = data_file.read("machine_types.yaml")["machine_types"]
    return MappingProxyType({id_: MachineType(id=id_, **row) for id_, row in rows.items()})
