"""Ways out of a text that this vLLM refuses: the one that was meant, another release, none."""

from collections.abc import Iterable

from models.spelling import nearest_of
from models.ways_out import WayOut, leave_out, meant, rename, use


def ways_from_value(
    where: str, value: str, known: Iterable[str], ray: str | None = None
) -> Iterable[WayOut]:
    """The known value that is near, a Ray whose vLLM has the stated one, and leaving it out."""
    near = nearest_of(value, known)
    if near is not None:
        yield meant(where, near)
    yield from ways_to_release(ray, ", whose vLLM has it")
    yield leave_out(where, "leave it out")


def ways_from_field(
    where: str, field: str, fields: Iterable[str], ray: str | None = None
) -> Iterable[WayOut]:
    """The same of a key of a mapping."""
    near = nearest_of(field, fields)
    if near is not None:
        yield rename(where, near)
    yield leave_out(where, "leave it out")
    yield from ways_to_release(ray, ", whose vLLM has it")


def ways_to_release(ray: str | None, why: str = "") -> Iterable[WayOut]:
    """Another release of Ray, if one suits."""
    if ray is not None:
        yield use("ray-llm:versions.ray", ray, f"use versions.ray: {ray}{why}")


def ways_to_releases(rays: Iterable[str], why: str = "") -> Iterable[WayOut]:
    """Several releases of Ray that suit, of which the first that works is shown."""
    for ray in rays:
        yield use("ray-llm:versions.ray", ray, f"use versions.ray: {ray}{why}", "release")
