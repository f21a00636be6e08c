"""The keys of the gateway: that there are some, what they may ask, and their limits."""

from collections.abc import Iterable, Iterator
from typing import Final

from models.access import AccessSettings, Exposure
from models.problems import Problem, Severity
from models.spelling import nearest_of
from models.token_reference import secret_and_version
from models.ways_out import leave_out, meant, outside, use
from planning.checks.contexts import StackContext

_PATH: Final = "ray-llm:access"
_ADD: Final = (
    "Add a key: `openssl rand -hex 32 | pulumi config set --secret --path ray-llm:access.keys.TEAM`"
)
# No preview can try it, because only the person who runs it can encrypt a key.
_A_KEY: Final = outside(f"{_ADD[:1].lower()}{_ADD[1:]}")


def key_problems(context: StackContext) -> Iterable[Problem]:
    """Nobody's key, a key for no model, a limit for nobody."""
    access = context.settings.access
    if access is None:
        return
    if not access.keys and context.access_complete:
        yield from _without_keys(access)
    yield from _same_secrets(access)
    yield from _model_problems(access, [model.served_name for model in context.settings.models])


def _without_keys(access: AccessSettings) -> Iterator[Problem]:
    path = f"{_PATH}.keys"
    if access.exposure is Exposure.EXTERNAL:
        yield Problem(
            path=path,
            reason="is missing, and everybody on the internet could use the GPUs",
            remedy=f"{_ADD}, or use exposure: internal",
            rule="access-without-keys",
            candidates=(
                use(f"{_PATH}.exposure", str(Exposure.INTERNAL), "use exposure: internal"),
                _A_KEY,
            ),
        )
    elif access.exposure is Exposure.INTERNAL:
        yield Problem(
            path=path,
            reason="is missing, so that everybody in the VPC network may ask every model",
            remedy=_ADD,
            rule="access-without-keys",
            severity=Severity.WARN,
        )
    if access.limits.requests_per_minute is not None:
        limit = f"{_PATH}.limits.requestsPerMinute"
        yield Problem(
            path=limit,
            value=access.limits.requests_per_minute,
            reason="limits each key, and there is no key",
            remedy=f"{_ADD}, or leave the limit out",
            rule="access-limit",
            candidates=(leave_out(limit, "leave the limit out"), _A_KEY),
        )


def _same_secrets(access: AccessSettings) -> Iterator[Problem]:
    """Two teams whose key is one secret; values of Secret Manager no preview can compare."""
    first: dict[tuple[str, str], str] = {}
    for team, key in access.keys.items():
        place = key.key.secret_manager
        if place is None:
            continue
        before = first.setdefault(secret_and_version(place), team)
        if before != team:
            yield Problem(
                path=f"{_PATH}.keys.{team}",
                value=place,
                reason=f"is the secret of {before}, too, so that nobody could tell who asks, and "
                "neither could be revoked alone",
                remedy="Make a secret for each team",
                rule="access-key-twice",
            )


def _model_problems(access: AccessSettings, served: list[str]) -> Iterator[Problem]:
    for team, key in access.keys.items():
        for index, model in enumerate(key.models or ()):
            if model in served:
                continue
            path = f"{_PATH}.keys.{team}.models[{index}]"
            near = nearest_of(model, served)
            yield Problem(
                path=path,
                value=model,
                reason="is not the served name of a model of the stack",
                remedy=f"The stack serves {', '.join(served)}",
                rule="access-model-unknown",
                candidates=(
                    *(() if near is None else (meant(path, near),)),
                    leave_out(path, "leave it out"),
                ),
            )
