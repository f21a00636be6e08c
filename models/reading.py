"""From raw configuration values to `StackSettings`, with every problem of form found at once.

A broken entry of a list is left out and reported, and the rest is still read, so that planning
can report what is wrong with the others in the same preview.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic.alias_generators import to_snake

from models.access_keys import ACCESS, entries_written_out, with_hidden_keys
from models.access_section import AccessSection, access_section
from models.catalog import DEFAULT_RAY, ray_releases, releases_meant
from models.monitoring import system_written_out
from models.plain_secrets import plain_secret_problems, without_plain_secrets
from models.problems import Problem, Severity
from models.quotas_and_prices import amount, read_quotas, read_scalar, share, unknown_price_keys
from models.rules import RETIRED, RULES, acceptable_rules
from models.settings import Entry, Settings
from models.spelling import nearest, nearest_of
from models.stack import (
    ClusterSettings,
    GpuPoolSettings,
    ModelDeployment,
    OffHoursWindow,
    PriceSettings,
    StackSettings,
    Versions,
)
from models.stack_keys import KEYS, SECTIONS, TOKEN_KEY
from models.token_reference import TokenReference
from models.unknown_keys import unknown_key
from models.validation import keys_of, not_a, validated
from models.ways_out import (
    Edit,
    WayOut,
    instead,
    leave_out,
    meant,
    move,
    outside,
    top_key,
    use,
    with_edits,
)
from models.weights import weights_written_out

NAMESPACE: Final = "ray-llm"
DEFAULT_POOLS: Final = ("t4", "l4", "l4-x2", "a100-80gb-x2")
_ACCESS_KEY: Final = ACCESS.removeprefix(f"{NAMESPACE}:")
# The keys that every stack needs, and what to write if one is missing.
REQUIRED: Final[Mapping[str, str]] = {
    "cluster": "Give the cluster's name and zones: {name: llm-dev, zones: [us-central1-a]}",
    "models": "List at least one model to serve, such as - qwen2.5-0.5b-instruct",
}

AnyEntry = TypeVar("AnyEntry", bound=Entry)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What could be read of a stack, and what could not.

    settings: None if there is nothing to read. If project, region or cluster could not be read,
    a problem says so and there is no plan, but the rest is still checked: the region is then
    empty, and rules about zones say nothing.
    pools_complete: False if a pool was left out, so that its absence proves nothing.
    access_complete: the same of `ray-llm:access` and what it says.
    directory: paths in the stack file are relative to it.
    values, secret_keys: what was read, as `read_stack` takes it; no values for settings that a
    program made itself.
    """

    origin: str
    settings: StackSettings | None
    problems: tuple[Problem, ...]
    pools_complete: bool
    directory: Path
    values: Mapping[str, Any] | None = field(default=None, repr=False)
    secret_keys: frozenset[str] = frozenset()
    access_complete: bool = True

    def edited(self, edits: Iterable[Edit]) -> "Reading | None":
        """The stack read again with edits; None if they change something that is not there."""
        edits = tuple(edits)
        settings = self.settings
        if self.values is not None or settings is None:
            values = with_edits(self.values or {}, edits)
            if values is None:
                return None
            stack = self.origin.removeprefix("Pulumi.").removesuffix(".yaml")
            return read_stack(stack, values, self.secret_keys, self.directory)
        values = with_edits(_values_of(settings), edits)
        if values is None:
            return None
        again = read_stack(settings.stack, values, directory=self.directory)
        keys = {top_key(edit.path) for edit in edits}
        if again.settings is None:
            return None
        changed = settings.model_copy(
            update={to_snake(key): getattr(again.settings, to_snake(key)) for key in keys}
        )
        reading = reading_of(changed, self.directory)
        found = tuple(problem for problem in again.problems if top_key(problem.path) in keys)
        return replace(reading, problems=(*reading.problems, *found))


def read_stack(
    stack: str,
    values: Mapping[str, Any],
    secret_keys: frozenset[str] = frozenset(),
    directory: Path = Path(),
) -> Reading:
    """Reads the configuration of one stack.

    values: by full key (`ray-llm:models`, `gcp:project`), parsed, no JSON text.
    secret_keys: the full keys whose values are encrypted: the token may be one of them, and
        `ray-llm:access` if its encrypted values are `{secure: ...}`. Whatever these hold is not
        kept.
    Never raises for bad values: they become `problems`. Secrets in plain text are among them, and
    are read as `[secret]`.
    """
    origin = f"Pulumi.{stack}.yaml"
    if values.get(ACCESS) is not None:
        values = {**values, ACCESS: with_hidden_keys(values[ACCESS])}
        secret_keys -= {ACCESS}
    secrets = plain_secret_problems(values, f"{NAMESPACE}:{TOKEN_KEY}")
    values = without_plain_secrets(values)
    ours = {
        key.removeprefix(f"{NAMESPACE}:"): value
        for key, value in values.items()
        if key.startswith(f"{NAMESPACE}:")
    }
    if not ours:
        return _nothing_to_read(origin, directory)
    problems: list[Problem] = [
        *secrets,
        *_unknown_keys(ours),
        *_misspelt_namespaces(values),
        *_misplaced_secrets(ours, secret_keys),
        *_token_problems(ours, secret_keys),
    ]
    readable = {
        key: value for key, value in ours.items() if f"{NAMESPACE}:{key}" not in secret_keys
    }
    if "monitoring" in readable:
        readable["monitoring"] = system_written_out(readable["monitoring"])
    if "weights" in readable:
        readable["weights"] = weights_written_out(readable["weights"])
    project = _text(values, "gcp:project", "the Google Cloud project to deploy to", problems)
    region = _text(values, "gcp:region", "the region, us-central1 for instance", problems)
    sections = _sections(readable, problems)
    token = readable.get(TOKEN_KEY)
    reference = (
        validated(TokenReference, token, f"{NAMESPACE}:{TOKEN_KEY}")
        if isinstance(token, Mapping)
        else (None, ())
    )
    problems += reference[1]
    access = _access(ours, readable)
    problems += [*access.problems, *_missing("cluster", ours)]
    pools, pools_complete = _entries(
        GpuPoolSettings, "tier", readable.get("gpuPools", list(DEFAULT_POOLS)), "gpuPools", problems
    )
    models: tuple[ModelDeployment, ...] = ()
    if "models" in readable:
        models, _ = _entries(ModelDeployment, "model", readable["models"], "models", problems)
    problems += _missing("models", ours)
    figures = _figures(readable, problems)
    windows = _windows(readable["offHours"], problems) if "offHours" in readable else ()
    settings = StackSettings.model_construct(
        stack=stack,
        project=project or "",
        region=(region or "") if "cluster" in sections else "",
        has_hugging_face_token=TOKEN_KEY in ours,
        hugging_face_token=reference[0],
        pools_are_default="gpuPools" not in ours,
        gpu_pools=pools,
        models=models,
        access=access.settings,
        off_hours=windows,
        accept=_accepted(readable.get("accept", []), f"{NAMESPACE}:accept", problems),
        **{"cluster": ClusterSettings.model_construct(name="", zones=()), **sections, **figures},
    )
    return Reading(
        origin=origin,
        settings=settings,
        problems=tuple(problems),
        pools_complete=pools_complete,
        directory=directory,
        values={key: None if key in secret_keys else value for key, value in values.items()},
        secret_keys=secret_keys,
        access_complete=access.complete,
    )


def reading_of(settings: StackSettings, directory: Path = Path()) -> Reading:
    """A reading of settings that a program made itself, for callers without a stack file."""
    problems: list[Problem] = []
    if settings.models and not settings.gpu_pools:
        problems.append(empty_list("gpuPools"))
    _accepted(settings.accept, f"{NAMESPACE}:accept", problems)
    return Reading(
        origin=f"stack {settings.stack}",
        settings=settings,
        problems=tuple(problems),
        pools_complete=True,
        directory=directory,
    )


def _values_of(settings: StackSettings) -> dict[str, Any]:
    """Settings as a stack file would hold them, what is left out of them left out."""
    written = settings.model_dump(by_alias=True, exclude_defaults=True)
    if settings.access is not None:
        written[_ACCESS_KEY] = entries_written_out(written[_ACCESS_KEY])
    return {
        f"{NAMESPACE}:{key}": float(value) if isinstance(value, Decimal) else value
        for key, value in written.items()
        if key in KEYS
    }


def _nothing_to_read(origin: str, directory: Path) -> Reading:
    problem = Problem(
        path=NAMESPACE,
        reason="the stack file has no such section",
        remedy="Add ray-llm:cluster and ray-llm:models; README.md explains both",
        rule="stack-empty",
    )
    return Reading(
        origin=origin,
        settings=None,
        problems=(problem,),
        pools_complete=False,
        directory=directory,
    )


def _sections(readable: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The readable sections by their field of StackSettings; its defaults replace the others."""
    read = {
        to_snake(key): _section(section, readable[key], f"{NAMESPACE}:{key}", problems)
        for key, section in SECTIONS.items()
        if key in readable and key != _ACCESS_KEY
    }
    return {field: section for field, section in read.items() if section is not None}


def _access(ours: Mapping[str, Any], readable: Mapping[str, Any]) -> AccessSection:
    if _ACCESS_KEY not in ours:
        return AccessSection(settings=None)
    if _ACCESS_KEY not in readable:  # encrypted as a whole
        return AccessSection(settings=None, complete=False)
    return access_section(readable[_ACCESS_KEY])


def _missing(key: str, ours: Mapping[str, Any]) -> Iterable[Problem]:
    if key not in ours:
        yield Problem(
            path=f"{NAMESPACE}:{key}",
            reason="is missing",
            remedy=REQUIRED[key],
            rule="missing-key",
            candidates=() if key != "models" else (_first_model(),),
        )


def _unknown_keys(ours: Mapping[str, Any]) -> Iterable[Problem]:
    for key, value in ours.items():
        if key not in KEYS:
            reason = "is not a key of this program"
            yield unknown_key(f"{NAMESPACE}:{key}", key, KEYS, value, reason)


def _misspelt_namespaces(values: Mapping[str, Any]) -> Iterable[Problem]:
    """A misspelt namespace would make its key pass for some other program's."""
    for key in values:
        namespace, _, name = key.partition(":")
        if namespace != NAMESPACE and nearest(namespace, [NAMESPACE]):
            yield Problem(
                path=key,
                reason="is not a key of this program",
                remedy=f"Did you mean {NAMESPACE}:{name}?",
                rule="unknown-key",
                candidates=(move(key, f"{NAMESPACE}:{name}", f"did you mean {NAMESPACE}:{name}?"),),
            )


def _misplaced_secrets(ours: Mapping[str, Any], secret_keys: frozenset[str]) -> Iterable[Problem]:
    for key in ours:
        if key not in KEYS or key == TOKEN_KEY or f"{NAMESPACE}:{key}" not in secret_keys:
            continue
        reason = "is or holds an encrypted value, and the plan shows this section as plain text"
        remedy = f"Keep secrets in {NAMESPACE}:{TOKEN_KEY} and {ACCESS}.keys only"
        if key == _ACCESS_KEY:
            reason = "is encrypted as a whole, and the plan shows all of it but the keys"
            remedy = f"Write it in plain text, and encrypt each key by itself: {ACCESS}.keys.TEAM"
        yield Problem(
            path=f"{NAMESPACE}:{key}", reason=reason, remedy=remedy, rule="misplaced-secret"
        )


def _token_problems(ours: Mapping[str, Any], secret_keys: frozenset[str]) -> Iterable[Problem]:
    if TOKEN_KEY not in ours:
        return
    remedy = f"Run `pulumi config set --secret {NAMESPACE}:{TOKEN_KEY}` and paste the token there"
    if f"{NAMESPACE}:{TOKEN_KEY}" in secret_keys or isinstance(ours[TOKEN_KEY], Mapping):
        return
    if ours[TOKEN_KEY] in (None, ""):
        yield Problem(
            path=f"{NAMESPACE}:{TOKEN_KEY}",
            reason="is empty",
            remedy=f"{remedy}, or leave the key out if no model is gated",
            rule="missing-key",
            candidates=(
                leave_out(f"{NAMESPACE}:{TOKEN_KEY}", f"leave {TOKEN_KEY} out: no model is gated"),
                outside(remedy[0].lower() + remedy[1:]),
            ),
        )
    else:
        yield Problem(
            path=f"{NAMESPACE}:{TOKEN_KEY}",
            reason="is in plain text in the stack file",
            remedy=f"{remedy}; revoke the token that was written here",
            rule="plain-token",
        )


def _text(values: Mapping[str, Any], key: str, what: str, problems: list[Problem]) -> str | None:
    value = values.get(key)
    if isinstance(value, str) and value.strip():
        return value.strip()
    problems.append(
        Problem(
            path=key,
            value=value,
            reason="is missing" if value is None else "is not a text",
            remedy=f"Set it to {what}",
            rule="missing-key" if value is None else "wrong-type",
        )
    )
    return None


def _one_version(value: str | float, path: str) -> Problem:
    """The problem of `versions: 2.60.0`, and of `versions: latest`, which names no release."""
    releases = (value,) if value in ray_releases() else releases_meant(value, ray_releases())
    version = releases[-1] if releases else DEFAULT_RAY
    reason = "is one release, of which its key does not say whose it is"
    if not isinstance(value, str):
        reason = "is a number, which loses the zeros at its end, and its key does not say whose"
    elif not releases and re.match(r"v?\d", value):
        reason = "is no release of Ray in the table, and its key does not say whose it is"
    elif not releases:
        reason = (
            "names no release: one that changes by itself would replace the cluster, with twice "
            "the GPUs meanwhile, in whichever `pulumi up` comes after it"
        )
    written = f"{{ray: {version}}}" if isinstance(value, str) else f'{{ray: "{version}"}}'
    return Problem(
        path=path,
        value=value,
        reason=reason,
        remedy=f"Write {written}",
        rule="wrong-type",
        candidates=(use(path, {"ray": version}, f"write {written}"),),
    )


def _section(
    section: type[Settings], value: object, path: str, problems: list[Problem]
) -> Settings | None:
    if not isinstance(value, Mapping):
        if (
            section is Versions
            and isinstance(value, str | int | float)
            and not isinstance(value, bool)
        ):
            problems.append(_one_version(value, path))
            return None
        problems.append(
            not_a(value, path, "a mapping of keys", f"Keys: {', '.join(keys_of(section))}")
        )
        return None
    read, found = validated(section, value, path)
    problems += found
    return read


def _accepted(value: object, path: str, problems: list[Problem]) -> tuple[str, ...]:
    """The rules in an `accept` list that can be accepted."""
    remedy = "List ids of rules; the id is at the end of a warning"
    if not isinstance(value, list | tuple):
        problems.append(not_a(value, path, "a list", remedy))
        return ()
    accepted: list[str] = []
    for index, rule in enumerate(value):
        where = f"{path}[{index}]"
        if not isinstance(rule, str):
            problems.append(not_a(rule, where, "the id of a rule", remedy))
        elif rule in RETIRED:
            accepted.append(rule)
        elif rule not in RULES:
            near = nearest_of(rule, acceptable_rules())
            problems.append(
                Problem(
                    path=where,
                    value=rule,
                    reason="is not the id of a rule",
                    remedy=nearest(rule, acceptable_rules()).strip() or remedy,
                    rule="accept-unknown",
                    candidates=(
                        *((meant(where, near),) if near is not None else ()),
                        leave_out(where, "leave it out"),
                    ),
                )
            )
        elif not RULES[rule].acceptable:
            problems.append(
                Problem(
                    path=where,
                    value=rule,
                    reason="stops the preview, and only warnings can be accepted"
                    if Severity.STOP in RULES[rule].severities
                    else "is always shown and cannot be accepted",
                    remedy="Leave it out, and change what its problem names",
                    rule="accept-stop",
                    candidates=(instead(where, "Leave it out, and change what its problem names"),),
                )
            )
        else:
            accepted.append(rule)
    return tuple(accepted)


def _figures(readable: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """What the file says of money and quota, by field of StackSettings."""
    figures: dict[str, Any] = {}
    if "quotas" in readable:
        figures["quotas"], found = read_quotas(readable["quotas"], f"{NAMESPACE}:quotas")
        problems += found
    if "prices" in readable:
        figures["prices"] = _prices(readable["prices"], f"{NAMESPACE}:prices", problems)
    for key, name, read in (
        ("monthlyBudget", "monthly_budget", amount),
        ("loadFactor", "load_factor", share),
    ):
        if key in readable:
            number, found = read_scalar(read, readable[key], f"{NAMESPACE}:{key}")
            problems += found
            figures |= {} if number is None else {name: number}
    return figures


def _prices(value: object, path: str, problems: list[Problem]) -> dict[str, Settings]:
    if not isinstance(value, Mapping):
        remedy = "Write `l4: {onDemand: 0.95, spot: 0.35}` lines"
        problems.append(not_a(value, path, "a mapping of keys", remedy))
        return {}
    unknown = tuple(unknown_price_keys(value, path))
    problems += unknown
    read = {
        key: _section(PriceSettings, row, f"{path}.{key}", problems) for key, row in value.items()
    }
    return {key: row for key, row in read.items() if row is not None}


def _entries(
    kind: type[AnyEntry], shorthand: str, value: object, key: str, problems: list[Problem]
) -> tuple[tuple[AnyEntry, ...], bool]:
    """The readable entries of a list, and whether all were readable."""
    path = f"{NAMESPACE}:{key}"
    if not isinstance(value, list | tuple):
        wanted = "Write one `- ...` line for each entry"
        problem = not_a(value, path, "a list", wanted)
        ways = [use(path, [value], wanted[0].lower() + wanted[1:])] if value is not None else []
        problems.append(problem.with_candidates(ways))
        return (), False
    if not value:
        problems.append(empty_list(key))
        return (), False
    entries: list[AnyEntry] = []
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        fields = {shorthand: item} if isinstance(item, str) else item
        if not isinstance(fields, Mapping):
            remedy = f"Write a name, or keys such as {shorthand}"
            problems.append(not_a(item, where, "a name or a mapping", remedy))
            continue
        entry, found = validated(kind, fields, where)
        problems += found
        if entry is not None:
            entries.append(entry.at(where))
    return tuple(entries), len(entries) == len(value)


def _windows(value: object, problems: list[Problem]) -> tuple[OffHoursWindow, ...]:
    """The readable windows of `offHours`, of which one may stand without a list."""
    path = f"{NAMESPACE}:offHours"
    if isinstance(value, Mapping):
        window, found = validated(OffHoursWindow, value, path)
        problems += found
        return () if window is None else (window.at(path),)
    if isinstance(value, list | tuple) and not value:
        problems.append(
            Problem(
                path=path,
                value="[]",
                reason="is empty",
                remedy="List a window, or leave offHours out",
                rule="empty-list",
                candidates=(leave_out(path, "leave offHours out"),),
            )
        )
        return ()
    if not isinstance(value, list | tuple):
        example = '{sleep: "0 20 * * 1-5", wake: "0 7 * * 1-5", timeZone: Europe/Berlin}'
        remedy = f"Write {example}"
        problems.append(not_a(value, path, "a mapping or a list of mappings", remedy))
        return ()
    windows: list[OffHoursWindow] = []
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        if not isinstance(item, Mapping):
            remedy = "Write the keys sleep, wake and timeZone"
            problems.append(not_a(item, where, "a mapping", remedy))
            continue
        window, found = validated(OffHoursWindow, item, where)
        problems += found
        if window is not None:
            windows.append(window.at(where))
    return tuple(windows)


def _first_model() -> WayOut:
    """The smallest model of the catalogue, which runs on any GPU."""
    model = "qwen2.5-0.5b-instruct"
    return use(f"{NAMESPACE}:models", [model], f"list a model to serve, such as - {model}")


def empty_list(key: str) -> Problem:
    """The problem of an empty `gpuPools` or `models`."""
    path = f"{NAMESPACE}:{key}"
    if key == "models":
        ways = (_first_model(),)
        reason = "is empty, so there would be nothing to serve"
        remedy = "List at least one model of the catalogue, such as - qwen2.5-0.5b-instruct"
    else:
        ways = (leave_out(path, f"leave {key} out to get {', '.join(DEFAULT_POOLS)}"),)
        reason = "is empty, so no model could run anywhere"
        remedy = f"List at least one tier, or leave {key} out to get {', '.join(DEFAULT_POOLS)}"
    return Problem(
        path=path,
        value="[]",
        reason=reason,
        remedy=remedy,
        rule="empty-list",
        candidates=ways,
    )
