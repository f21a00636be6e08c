"""Names that must differ: a served name is also a route and a ConfigMap key."""

from collections.abc import Iterable
from typing import Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from models.invalid_value import InvalidValueError
from models.names import SERVED_NAME_LIMIT, ServedName
from models.problems import Problem
from models.stack import ModelDeployment
from models.ways_out import WayOut, use
from planning.checks.contexts import StackContext

# The first parts of paths that the gateway answers itself: OpenAI's API, and Ray Serve's `/-/`,
# which no served name can be.
RESERVED: Final = frozenset({"v1"})
_SERVED_NAME: TypeAdapter[str] = TypeAdapter(ServedName, config=ConfigDict(defer_build=True))


def name_problems(context: StackContext) -> Iterable[Problem]:
    """Served names that two models share, or that a source does not yield."""
    first: dict[str, str] = {}
    for model in context.settings.models:
        name, path = model.served_name, model.path
        yield from _derived_name_problems(model)
        if name in RESERVED and context.settings.access is not None:
            yield Problem(
                path=f"{path}.name" if model.name else path,
                value=name,
                reason=f"would have the route /{name}, which is a path of the gateway's own",
                remedy="Give the model another name: name: <served name>",
                rule="reserved-name",
                candidates=(use(f"{path}.name", f"{name}-model"),),
            )
        if name in first:
            yield Problem(
                path=f"{path}.name" if model.name else path,
                value=name,
                reason=f"is already the name and route of {first[name]}",
                remedy="Give one of them another name: name: <served name>",
                rule="name-twice",
                candidates=_other_names(model, name),
            )
        else:
            first[name] = path.removeprefix("ray-llm:")


def _other_names(model: ModelDeployment, name: str) -> Iterable[WayOut]:
    for number in range(2, 6):
        other = f"{name[: SERVED_NAME_LIMIT - 2]}-{number}"
        yield use(f"{model.path}.name", other, group="name")


def _derived_name_problems(model: ModelDeployment) -> Iterable[Problem]:
    """A name derived from a source was not validated with the settings."""
    if model.name is not None or model.model is not None or model.source is None:
        return
    try:
        _SERVED_NAME.validate_python(model.served_name)
    except ValidationError as error:
        cause = error.errors()[0].get("ctx", {}).get("error")
        reason = cause.reason if isinstance(cause, InvalidValueError) else "is not a usable name"
        yield Problem(
            path=f"{model.path}.source",
            value=model.source,
            reason=f"would be served as {model.served_name!r}, which {reason}",
            remedy="Give the model a name: name: <served name>",
            rule="invalid-value",
            candidates=(
                *(
                    use(f"{model.path}.name", value)
                    for _, value in (cause.fixes if isinstance(cause, InvalidValueError) else ())
                ),
            ),
        )
