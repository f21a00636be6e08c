"""What a rollout does, in sentences for whoever reads a preview."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from models.catalog import DEFAULT_RAY, kuberay_releases, ray_releases
from rollouts.prediction import Kind, Release, Rollout
from rollouts.serve_models import Effect, ModelChange

_NAMED: Final = 5
_PATHS: Final = 3
# A group's numbers follow its models, and Ray's autoscaler changes those that run.
_NUMBERS: Final = (".replicas", ".minReplicas", ".maxReplicas")


@dataclass(frozen=True)
class Sentence:
    """One or a few sentences; `warns` if something stops answering, costs or goes missing."""

    text: str
    warns: bool


def sentences(
    rollout: Rollout, *, names_release: bool = True, recreates: bool = False
) -> tuple[Sentence, ...]:
    """What to know before this change, what matters most first; nothing if nothing happens.

    names_release: whether the stack says which Ray it wants; else the program's default decides.
    recreates: whether the Ray cluster that answers is deleted before a second one does.
    """
    return tuple(_sentences(rollout, names_release=names_release, recreates=recreates))


def _sentences(rollout: Rollout, *, names_release: bool, recreates: bool) -> Iterator[Sentence]:
    if rollout.kind is Kind.UNKNOWN:
        yield from _unknown(rollout, names_release=names_release, recreates=recreates)
        return
    if rollout.refused:
        yield Sentence(
            f"KubeRay takes this change and refuses it afterwards: {'; '.join(rollout.refused)}. "
            "What runs goes on as it is, and no other part of the change takes effect.",
            warns=True,
        )
    if rollout.refused_by_ray:
        yield Sentence(
            f"Ray refuses the serve config, which only an event says: {rollout.refused_by_ray}. "
            "The models that run go on as they are.",
            warns=True,
        )
    if rollout.kind is Kind.SUSPENDED:
        yield Sentence(
            "spec.suspend deletes the Ray clusters and the Services: no model answers until it is "
            "taken out again.",
            warns=True,
        )
    if rollout.causes:
        yield _second_cluster(rollout, names_release=names_release, recreates=recreates)
    yield from _ignored(rollout)
    yield from _models(rollout)
    if rollout.appended:
        yield Sentence(
            f"The running Ray cluster gets {_counted('worker group', rollout.appended)} in place: "
            "nothing restarts.",
            warns=False,
        )
        yield from _written(rollout)


def _unknown(rollout: Rollout, *, names_release: bool, recreates: bool) -> Iterator[Sentence]:
    why = "; ".join(rollout.unknown)
    if rollout.if_known is None:
        yield Sentence(
            f"What KubeRay does with this change cannot be said beforehand: {why}.", warns=True
        )
        return
    oldest, *_, newest = kuberay_releases()
    yield Sentence(
        f"What KubeRay does with this change is not certain: {why}. This is what {oldest} to "
        f"{newest} do:",
        warns=False,
    )
    yield from _sentences(rollout.if_known, names_release=names_release, recreates=recreates)


def _second_cluster(rollout: Rollout, *, names_release: bool, recreates: bool) -> Sentence:
    causes = list(rollout.causes)
    said = []
    stays = ""
    if rollout.release:
        before, after = rollout.release
        causes = [path for path in causes if not path.endswith((".image", ".rayVersion"))]
        said.append(_release(before, after, names_release=names_release))
        stays = _how_to_stay(before)
    if causes:
        said.append(f"{_listed(causes, _PATHS)} {'changes' if len(causes) == 1 else 'change'}")
    if recreates:
        return Sentence(
            f"{', and '.join(said)}. KubeRay starts another Ray cluster. As soon as its head runs, "
            "the old cluster is deleted (ray-llm:rollout.strategy: recreate): no model answers "
            "from then until the new one has loaded it, for minutes with large weights, and if "
            f"the new one does not start, none answers at all. No GPU is needed twice.{stays}",
            warns=True,
        )
    twice = [f"{count} of {group}" for group, count in rollout.gpus.items()]
    on_top = f" Its first GPUs: {_listed(twice, _NAMED)}." if twice else ""
    return Sentence(
        f"{', and '.join(said)}. KubeRay starts a second Ray cluster beside the old one: until it "
        f"answers, the GPUs are needed twice, and every model loads anew.{on_top}{stays}",
        warns=True,
    )


def _release(before: Release, after: Release, *, names_release: bool) -> str:
    changed = f"Ray {before.ray} ({before.image}) becomes Ray {after.ray} ({after.image})"
    if before.ray == after.ray or names_release:
        return changed
    return f"{changed}, because the stack names no release and the default is Ray {DEFAULT_RAY} now"


def _how_to_stay(before: Release) -> str:
    row = ray_releases().get(before.ray)
    if row is None:
        return f" This version of the program has no Ray {before.ray}: an earlier one keeps it."
    image = "" if row.image == before.image else f', image: "{before.image}"'
    return f" To stay, write ray-llm:versions: {{ray: {before.ray}{image}}}."


def _ignored(rollout: Rollout) -> Iterator[Sentence]:
    paths = [path for path in rollout.ignored if not path.endswith(_NUMBERS)]
    if paths:
        yield Sentence(
            f"KubeRay ignores that {_listed(paths, _PATHS)} "
            f"{'changes' if len(paths) == 1 else 'change'}: nothing that runs hears of it, and "
            "nothing says so. It takes effect in the next Ray cluster, which another image or Ray "
            "release starts.",
            warns=True,
        )


def _written(rollout: Rollout) -> Iterator[Sentence]:
    paths = [path for path in rollout.written if not path.endswith(_NUMBERS)]
    if paths:
        yield Sentence(
            f"{_listed(paths, _PATHS)}: only pods that start later have it, because KubeRay "
            "restarts none for it.",
            warns=True,
        )


def _models(rollout: Rollout) -> Iterator[Sentence]:
    anew = bool(rollout.causes)
    if added := rollout.with_effect(Effect.ADDED):
        yield Sentence(f"{_counted('Model', added)} {_is(added)} added.", warns=False)
    if removed := rollout.with_effect(Effect.REMOVED):
        yield Sentence(
            f"{_counted('Model', removed)} {_is(removed)} removed: requests to "
            f"{_them(removed)} get a 404.",
            warns=True,
        )
    edited = rollout.with_effect(Effect.EDITED)
    if edited and anew:
        yield Sentence(
            f"{_counted('Model', edited)} {_is(edited)} edited, in the second cluster alone.",
            warns=False,
        )
    elif edited:
        yield from _edited(edited, rollout.held)
    if not anew and (routers := rollout.with_effect(Effect.ROUTER)):
        yield Sentence(
            f"{_counted('Model', routers)}: only the router restarts, no replica.", warns=False
        )
    if scaled := rollout.with_effect(Effect.SCALED):
        changed = list(dict.fromkeys(path for model in scaled for path in model.changed))
        yield Sentence(
            f"{_counted('Model', scaled)} {'changes' if len(scaled) == 1 else 'change'} in place "
            f"({_listed(changed, _PATHS)}): nothing restarts.",
            warns=False,
        )


def _edited(edited: Sequence[ModelChange], held: Collection[str]) -> Iterator[Sentence]:
    beside = [model for model in edited if model.beside and model.name not in held]
    waiting = [model for model in edited if model.beside and model.name in held]
    several = [model for model in edited if not model.beside and (model.replicas or 0) > 1]
    single = [model for model in edited if not model.beside and (model.replicas or 0) <= 1]
    if single:
        yield Sentence(
            f"{_counted('Model', single)} {_is(single)} edited in place: Ray Serve stops the old "
            "replica before the new one has loaded, and until then no request is answered.",
            warns=True,
        )
    if several:
        yield Sentence(
            f"{_counted('Model', several)} {_is(several)} edited in place: the replicas are "
            "replaced one after the other.",
            warns=False,
        )
    if beside:
        yield Sentence(
            f"{_counted('Model', beside)} {_is(beside)} edited: the new version loads beside the "
            "old one, with as many replicas as the pool has room for, and takes over when it runs. "
            "Nobody waits, and the GPUs of both are needed until then.",
            warns=False,
        )
    if waiting:
        yield Sentence(
            f"{_counted('Model', waiting)} {_is(waiting)} edited, and the pool has no room for a "
            "second version: the new one loads after the old one has gone, and requests are held "
            "meanwhile, for minutes with large weights. With a higher maxNodes of the pool nobody "
            "waits.",
            warns=True,
        )


def _them(items: Sequence[object]) -> str:
    return "it" if len(items) == 1 else "them"


def _is(items: Sequence[object]) -> str:
    return "is" if len(items) == 1 else "are"


def _counted(what: str, items: Sequence[ModelChange | str]) -> str:
    names = [item.name if isinstance(item, ModelChange) else item for item in items]
    return f"{what}{'s' if len(names) > 1 else ''} {_listed(names, _NAMED)}"


def _listed(names: Sequence[str], at_most: int) -> str:
    shown, more = list(names[:at_most]), len(names) - at_most
    if more > 0:
        shown.append(f"{more} more")
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]
