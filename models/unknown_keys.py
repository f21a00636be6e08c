"""Well-known keys of other tools, recognised where a stack file's key is unknown.

Somebody who comes from Ray's, KubeRay's, gcloud's or vLLM's own files writes their keys. Such a
key is an error like any unknown one; the message then says where its matter is decided here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from models.catalog import data_file, engine_arguments, vllm_versions
from models.problems import Problem
from models.spelling import nearest
from models.stack import ENGINE_ARGUMENT_OF_KEY

# Values that tell what a key is about, whatever it is called.
_SERVICE_TYPES: Final = ("LoadBalancer", "NodePort", "ExternalName")
# Keys that say nothing by themselves; what stands in them does.
_HOLDERS: Final = frozenset(
    {
        "applications",
        "deploymentconfig",
        "head",
        "headgroupspec",
        "llmconfig",
        "llmconfigs",
        "rayclusterconfig",
        "rayservice",
        "workergroups",
        "workergroupspecs",
    }
)
_KEY_OF_ENGINE_ARGUMENT: Final[Mapping[str, str]] = {
    argument: key for key, argument in ENGINE_ARGUMENT_OF_KEY.items()
}


@dataclass(frozen=True, kw_only=True)
class KeyOfOtherTool:
    """What to say of a key of another tool: `x is not a known key, <reason>. <remedy>`."""

    rule: str
    reason: str
    remedy: str


def unknown_key(
    path: str,
    key: str,
    known: Iterable[str],
    value: object = None,
    reason: str = "is not a known key",
) -> Problem:
    """The problem of a key that this program does not have.

    path: the key's whole place in the file; known: the keys of the same section; value: what
    stands there, in which a well-known key may tell more than the one that holds it.
    """
    names = tuple(known)
    other = None if _same(key, names) else _keys_of_other_tools().get(_folded(key))
    if other is None and value in _SERVICE_TYPES:
        other = _keys_of_other_tools()["servicetype"]
    if other is not None:
        within, other = _innermost(key, value, other)
        return Problem(
            path=path + within,
            reason=f"{reason}, {other.reason}",
            remedy=other.remedy,
            rule=other.rule,
        )
    argument = None if _same(key, names) else _engine_argument(key)
    if argument is not None and "engine" in names:
        ours = _KEY_OF_ENGINE_ARGUMENT.get(argument)
        return Problem(
            path=path,
            reason=f"{reason}, because {argument} is an argument of vLLM's engine",
            remedy=f"Write {ours}" if ours else f"Write engine: {{{argument}: ...}}",
            rule="foreign-engine-argument",
        )
    return Problem(
        path=path,
        reason=reason,
        remedy=nearest(key, names).strip() or f"Known keys: {', '.join(names)}",
        rule="unknown-key",
    )


def rules_of_other_tools() -> tuple[str, ...]:
    """The ids of the rules that the table holds."""
    return tuple(dict.fromkeys(other.rule for other in _keys_of_other_tools().values()))


@cache
def _keys_of_other_tools() -> Mapping[str, KeyOfOtherTool]:
    rows = data_file.read("keys_of_other_tools.yaml", Path(__file__).parent)
    return {
        _folded(key): KeyOfOtherTool(rule=row["rule"], reason=row["reason"], remedy=row["remedy"])
        for row in rows
        for key in row["keys"]
    }


@cache
def _engine_arguments() -> Mapping[str, str]:
    return {
        _folded(name): name for version in vllm_versions() for name in engine_arguments(version)
    }


def _innermost(key: str, value: object, other: KeyOfOtherTool) -> tuple[str, KeyOfOtherTool]:
    """The well-known key in a section that only holds others: head.serviceType tells most."""
    if _folded(key) not in _HOLDERS:
        return "", other
    item, within = (value[0], "[0]") if isinstance(value, list) and value else (value, "")
    if isinstance(item, Mapping):
        for name, inner in item.items():
            known = _keys_of_other_tools().get(_folded(str(name)))
            if known is not None:
                path, found = _innermost(str(name), inner, known)
                return f"{within}.{name}{path}", found
    return "", other


def _engine_argument(key: str) -> str | None:
    return _engine_arguments().get(_folded(key))


def _same(key: str, names: Iterable[str]) -> bool:
    """Whether it is one of our own keys but for case, hyphens and underscores."""
    return _folded(key) in {_folded(name) for name in names}


def _folded(key: str) -> str:
    return key.lower().replace("-", "").replace("_", "")
