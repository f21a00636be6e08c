"""Unknown keys of a stack file, among them well-known keys of other tools.

People who know the files of Ray, KubeRay, gcloud or vLLM write their keys. Such a key is still an
error, but the message names the setting that controls the same thing here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from models.catalog import (
    DEFAULT_KUBERAY,
    DEFAULT_RAY,
    data_file,
    dropped_arguments,
    engine_arguments,
    vllm_versions,
)
from models.problems import Problem
from models.spelling import nearest, nearest_of
from models.stack import ENGINE_ARGUMENT_OF_KEY
from models.ways_out import WayOut, instead, leave_out, move, rename, together

# Values that show what a key is about, whatever its name.
_SERVICE_TYPES: Final = ("LoadBalancer", "NodePort", "ExternalName")
# Keys that say nothing by themselves; the keys in them do.
_HOLDERS: Final = frozenset(
    {
        "applications",
        "autoscalingconfig",
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
_MODEL: Final = re.compile(r"ray-llm:models\[\d+\](?=\.)")
_KEY_OF_ENGINE_ARGUMENT: Final[Mapping[str, str]] = {
    argument: key for key, argument in ENGINE_ARGUMENT_OF_KEY.items()
}


@dataclass(frozen=True, kw_only=True)
class KeyOfOtherTool:
    """What to say of a key of another tool: `x is not a known key, <reason>. <remedy>`.

    ours: the key here that takes the same value, from the entry or with its namespace.
    """

    rule: str
    reason: str
    remedy: str
    ours: str | None


def unknown_key(
    path: str,
    key: str,
    known: Iterable[str],
    value: object = None,
    reason: str = "is not a known key",
) -> Problem:
    """The problem of a key that this program does not have.

    path: the whole path of the key in the file; known: the keys of the same section; value: the
    value of the key, in which a well-known key may say more than the key that holds it.
    """
    names = tuple(known)
    one_text = isinstance(value, str) and value not in _SERVICE_TYPES and len(names) == 1
    if one_text and not _same(key, names):
        (only,) = names
        parent = path.rpartition(".")[0]
        return Problem(
            path=path,
            reason=reason,
            remedy=f"The one key here is {only}",
            rule="unknown-key",
            candidates=(move(path, f"{parent}.{only}", f"write it as {only}"),),
        )
    entry = _entry_with_engine(path, names)
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
            candidates=_ways_to_ours(path, key, value, other),
        )
    argument = None if _same(key, names) else _engine_argument(key)
    if argument is not None and entry is not None:
        ours = _KEY_OF_ENGINE_ARGUMENT.get(argument)
        return Problem(
            path=path,
            reason=f"{reason}, because {argument} is an argument of vLLM's engine",
            remedy=f"Write {ours}" if ours else "Write it under engine, by vLLM's own name",
            rule="foreign-engine-argument",
            candidates=(_to_engine(path, entry, ours or f"engine.{argument}"),),
        )
    dropped = dropped_arguments().get(key.replace("-", "_"))
    if dropped is not None and entry is not None:
        return Problem(
            path=path,
            reason=f"{reason}, because {dropped.name} was an argument of vLLM's engine",
            remedy=dropped.instead,
            rule="foreign-engine-argument",
            candidates=(instead(path, dropped.instead),),
        )
    if nested := _nested(key, names):
        return Problem(
            path=path,
            reason=f"{reason}: a dot in a key is no path",
            remedy=f"Write {nested}",
            rule="unknown-key",
        )
    near = nearest_of(key, names)
    return Problem(
        path=path,
        reason=reason,
        remedy=nearest(key, names).strip() or f"Known keys: {', '.join(names)}",
        rule="unknown-key",
        candidates=() if near is None else (rename(path, near),),
    )


def _nested(key: str, names: Iterable[str]) -> str | None:
    """`engine.max_num_seqs` as the mapping that messages mean by it; None if it is no such path."""
    head, *inner = key.split(".")
    if head not in names or not inner or not all(inner):
        return None
    return f"{head}: {{{': {'.join(inner)}: ...{'}' * len(inner)}"


def _ways_to_ours(path: str, key: str, value: object, other: KeyOfOtherTool) -> Iterable[WayOut]:
    """The same value under our key, or all that a section holds; else the whole left out.

    other: what the message is about, the key itself or one in it.
    """
    inner = value if _folded(key) in _HOLDERS and isinstance(value, Mapping) else {}
    known = {name: _keys_of_other_tools().get(_folded(str(name))) for name in inner}
    moves = {f"{path}.{name}": found.ours for name, found in known.items() if found and found.ours}
    if other.ours is not None and not inner:
        moves[path] = other.ours
    entry = path.rpartition(".")[0]
    steps = [
        move(there, ours if ":" in ours else f"{entry}.{ours}", "") for there, ours in moves.items()
    ]
    if steps:
        further = [leave_out(path)] if inner else []
        words = f"write it as {' and '.join(moves.values())}"
        yield together(words, *steps, *further, group="ours")
    yield replace(instead(path, other.remedy), group="ours")


def _to_engine(path: str, entry: str, ours: str) -> WayOut:
    return move(path, f"{entry}.{ours}", f"write it as {ours}")


def _entry_with_engine(path: str, names: Iterable[str]) -> str | None:
    """The entry around a key that takes engine arguments: a model's, whatever section is in it."""
    if "engine" in names:
        return path.rpartition(".")[0]
    model = _MODEL.match(path)
    return model[0] if model else None


def rules_of_other_tools() -> tuple[str, ...]:
    """The ids of the rules that the table holds."""
    return tuple(dict.fromkeys(other.rule for other in _keys_of_other_tools().values()))


@cache
def _keys_of_other_tools() -> Mapping[str, KeyOfOtherTool]:
    rows = data_file.read("keys_of_other_tools.yaml", Path(__file__).parent)
    return {
        _folded(key): KeyOfOtherTool(
            rule=row["rule"],
            reason=row["reason"],
            remedy=_with_default_releases(row["remedy"]),
            ours=row.get("ours"),
        )
        for row in rows
        for key in row["keys"]
    }


def _with_default_releases(text: str) -> str:
    return text.replace("DEFAULT_RAY", DEFAULT_RAY).replace("DEFAULT_KUBERAY", DEFAULT_KUBERAY)


@cache
def _engine_arguments() -> Mapping[str, str]:
    return {
        _folded(name): name for version in vllm_versions() for name in engine_arguments(version)
    }


def _innermost(key: str, value: object, other: KeyOfOtherTool) -> tuple[str, KeyOfOtherTool]:
    """The well-known key in a section that only holds others: head.serviceType says most."""
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
