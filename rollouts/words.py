"""What a rollout does, in sentences for whoever reads a preview."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from models.catalog import DEFAULT_RAY, kuberay_releases, quota_in_words, ray_releases
from models.stack import WithoutRoom
from rollouts.expectation import (
    HOURS_A_MONTH,
    Duration,
    Expectation,
    ModelStart,
    gpus_in_words,
    usd_in_all,
)
from rollouts.prediction import Kind, Release, Rollout, is_number_of_group
from rollouts.sentence import Sentence, listed
from rollouts.serve_models import Effect, ModelChange

_NAMED: Final = 5
_PATHS: Final = 3
NOTHING_CHANGES: Final = Sentence("Nothing that serves is changed or restarted.", warns=False)
"""Said if there is nothing else to say, because silence could as well be no knowledge."""
_NOTHING_EXPECTED: Final = Expectation()


def sentences(
    rollout: Rollout, *, names_release: bool = True, expected: Expectation = _NOTHING_EXPECTED
) -> tuple[Sentence, ...]:
    """What to know before this change, what matters most first; nothing if nothing happens.

    names_release: whether the stack says which Ray it wants; else the program's default decides.
    expected: times and prices; what it lacks is left out.
    """
    return tuple(_sentences(rollout, expected, names_release=names_release))


def _sentences(
    rollout: Rollout, expected: Expectation, *, names_release: bool
) -> Iterator[Sentence]:
    if rollout.kind is Kind.UNKNOWN:
        yield from _unknown(rollout, expected, names_release=names_release)
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
        yield _second_cluster(rollout, expected, names_release=names_release)
    yield from _models(rollout, expected)
    if rollout.appended:
        yield Sentence(
            f"The running Ray cluster gets {_counted('worker group', rollout.appended)} in place: "
            "nothing restarts.",
            warns=False,
        )
        yield from _written(rollout)
    if bill := _bill(rollout, expected):
        yield Sentence(bill, warns=False)


def _unknown(rollout: Rollout, expected: Expectation, *, names_release: bool) -> Iterator[Sentence]:
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
    yield from _sentences(rollout.if_known, expected, names_release=names_release)


def _second_cluster(rollout: Rollout, expected: Expectation, *, names_release: bool) -> Sentence:
    causes = list(rollout.causes)
    said = []
    stays = ""
    if rollout.release:
        before, after = rollout.release
        causes = [path for path in causes if not path.endswith((".image", ".rayVersion"))]
        said.append(_release(before, after, names_release=names_release))
        stays = _how_to_stay(before)
    if causes:
        said.append(f"{listed(causes, _PATHS)} {'changes' if len(causes) == 1 else 'change'}")
    if expected.recreates:
        lasts = expected.slowest_start()
        how_long = str(lasts) if lasts else "for minutes with large weights"
        return Sentence(
            f"{', and '.join(said)}. KubeRay starts another Ray cluster. As soon as its head runs, "
            "the old cluster is deleted (ray-llm:rollout.strategy: recreate): no model answers "
            f"from then until the new one has loaded it, {how_long}, and if the new one does not "
            f"start, none answers at all. No GPU is needed twice.{stays}",
            warns=True,
        )
    twice = (
        "no GPU is needed until a request comes, and every model loads anew for its first one"
        if _all_asleep(expected)
        else "until it answers, the GPUs are needed twice, and every model loads anew"
    )
    return Sentence(
        f"{', and '.join(said)}. KubeRay starts a second Ray cluster beside the old one: {twice}."
        f"{_on_top(rollout, expected)}{stays}",
        warns=True,
    )


def _all_asleep(expected: Expectation) -> bool:
    starts = expected.models.values()
    return bool(starts) and not any(start.replicas for start in starts)


def _on_top(rollout: Rollout, expected: Expectation) -> str:
    """The GPUs of a second cluster, for how long, and their price."""
    lasts = expected.slowest_start()
    until = f" It takes {lasts} until it answers." if lasts else ""
    # A group of models of several degrees of parallelism starts empty, and grows at once.
    needed = {
        pool: max(rollout.gpus.get(pool, 0), expected.at_minimum.get(pool, 0))
        for pool in dict.fromkeys([*rollout.gpus, *expected.at_minimum])
    }
    needed = {pool: count for pool, count in needed.items() if count}
    if not needed:
        return until
    gpus = listed(gpus_in_words(needed), _NAMED)
    price = expected.usd_per_hour(needed, whole_nodes=True)
    if price is None or lasts is None:
        return f" Its first GPUs: {gpus}.{until}"
    return (
        f" Its first GPUs: {gpus}, at USD {price:.2f} an hour, so {usd_in_all(price, lasts)} in "
        f"all.{until}"
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


def _written(rollout: Rollout) -> Iterator[Sentence]:
    paths = [path for path in rollout.written if not is_number_of_group(path)]
    if paths:
        yield Sentence(
            f"{listed(paths, _PATHS)}: only pods that start later have it, because KubeRay "
            "restarts none for it.",
            warns=True,
        )


def _models(rollout: Rollout, expected: Expectation) -> Iterator[Sentence]:
    anew = bool(rollout.causes)
    if added := rollout.with_effect(Effect.ADDED):
        times = _times(added, expected, lambda start: start.anew)
        starts = f" Until the first answer it takes {times}." if times else ""
        yield Sentence(
            f"{_counted('Model', added)} {_is(added)} added.{starts}{_asleep(added, expected)}",
            warns=False,
        )
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
        yield from _edited(edited, rollout, expected)
    if not anew and (routers := rollout.with_effect(Effect.ROUTER)):
        yield Sentence(
            f"{_counted('Model', routers)}: only the router restarts, no replica.", warns=False
        )
    if not anew and (scaled := rollout.with_effect(Effect.SCALED)):
        changed = list(dict.fromkeys(path for model in scaled for path in model.changed))
        yield Sentence(
            f"{_counted('Model', scaled)} {'changes' if len(scaled) == 1 else 'change'} in place "
            f"({listed(changed, _PATHS)}): nothing restarts.",
            warns=False,
        )


def _edited(
    edited: Sequence[ModelChange], rollout: Rollout, expected: Expectation
) -> Iterator[Sentence]:
    held, may_be_held = rollout.held, rollout.may_be_held
    beside = [model for model in edited if model.beside and model.name not in held]
    waiting = [model for model in edited if model.beside and model.name in held]
    several = [model for model in edited if not model.beside and (model.replicas or 0) > 1]
    single = [model for model in edited if not model.beside and (model.replicas or 0) <= 1]
    if single:
        times = _times(single, expected, lambda start: start.in_place)
        lasts = f", which takes {times}" if times else ""
        yield Sentence(
            f"{_counted('Model', single)} {_is(single)} edited in place: Ray Serve stops the old "
            f"replica before the new one has loaded{lasts}, and until then no request is "
            f"answered.{_too_long(single, expected)}",
            warns=True,
        )
    if several:
        yield Sentence(
            f"{_counted('Model', several)} {_is(several)} edited in place: the replicas are "
            "replaced one after the other.",
            warns=False,
        )
    if beside:
        times = _times(beside, expected, lambda start: start.beside)
        lasts = f", after {times}" if times else ""
        yield Sentence(
            f"{_counted('Model', beside)} {_is(beside)} edited: the new version loads beside the "
            "old one, with as many replicas as the pool has room for, and takes over when it runs"
            f"{lasts}. Nobody waits, and the GPUs of both are needed until then."
            f"{_one_after_the_other(beside, rollout)}{_gpus_beside(beside, rollout, expected)}"
            f"{_may_sleep(beside, expected)}"
            f"{_unless_busy([model for model in beside if model.name in may_be_held], expected)}",
            warns=False,
        )
    if waiting:
        times = _times(waiting, expected, lambda start: start.in_place)
        yield Sentence(
            f"{_counted('Model', waiting)} {_is(waiting)} edited, and {_what_is_full(rollout)} no "
            "room for a second version: the new one loads after the old one has gone, and requests "
            f"are held meanwhile, for {times or 'minutes with large weights'} after the old one's "
            "last request has ended."
            f"{_too_long(waiting, expected)} {_with_room(rollout)}",
            warns=True,
        )


def _what_is_full(rollout: Rollout) -> str:
    if not rollout.short_quotas:
        return "the pool has"
    quotas = rollout.short_quotas
    return f"{'the quota' if len(quotas) == 1 else 'the quotas'} {listed(quotas, _NAMED)} " + (
        "leaves" if len(quotas) == 1 else "leave"
    )


def _with_room(rollout: Rollout) -> str:
    if not rollout.short_quotas:
        return "With a higher maxNodes of the pool nobody waits."
    quotas = [quota_in_words(quota) for quota in rollout.short_quotas]
    return (
        f"With more of {listed(quotas, _NAMED)}, and a maxNodes of the pool that allows it, nobody "
        "waits."
    )


def _unless_busy(models: Sequence[ModelChange], expected: Expectation) -> str:
    """What happens to models if by then so many replicas run that no GPU is free."""
    if not models:
        return ""
    then = {
        WithoutRoom.HOLD: "requests are held until the old one has gone and the new one has loaded",
        WithoutRoom.WAIT: "`up` waits for one",
        WithoutRoom.STOP: "`up` stops before anything changes",
    }[expected.without_room]
    free = {f"{model.after.each} of {model.after.pool}": None for model in models if model.after}
    return (
        f" If other replicas have taken the GPUs for {listed([m.name for m in models], _NAMED)} "
        f"({listed(list(free), _NAMED)}) by then, {then}."
    )


def _times(
    models: Sequence[ModelChange],
    expected: Expectation,
    which: Callable[[ModelStart], Duration],
) -> str:
    """How long models take, by name if there are several; empty if it is not known of any."""
    times = {
        model.name: str(which(expected.models[model.name]))
        for model in models
        if model.name in expected.models
    }
    if len(times) == len(models) and len(set(times.values())) == 1:
        return next(iter(times.values()))
    return listed([f"{time} ({name})" for name, time in times.items()], _NAMED) if times else ""


def _asleep(models: Sequence[ModelChange], expected: Expectation) -> str:
    """Which of the added models keep no replica, so that nothing starts before a request comes."""
    names = _sleepers(models, expected)
    if not names:
        return ""
    loads = "loads" if len(names) == 1 else "load"
    return (
        f" While nobody asks, {listed(names, _NAMED)} may have no replica and {loads} on request."
    )


def _may_sleep(models: Sequence[ModelChange], expected: Expectation) -> str:
    """What happens instead to edited models that have no replica by then."""
    names = _sleepers(models, expected)
    if not names:
        return ""
    has, loads = ("has", "version loads") if len(names) == 1 else ("have", "versions load")
    return (
        f" If {listed(names, _NAMED)} {has} no running replica by then, nothing is waited for: the "
        f"new {loads} with the next request, which waits."
    )


def _sleepers(models: Sequence[ModelChange], expected: Expectation) -> list[str]:
    return [
        model.name
        for model in models
        if model.name in expected.models and not expected.models[model.name].replicas
    ]


def _too_long(models: Sequence[ModelChange], expected: Expectation) -> str:
    limit = expected.request_timeout_s
    starts = [start for model in models if (start := expected.models.get(model.name))]
    if limit is None or not any(start.in_place.may_exceed(limit) for start in starts):
        return ""
    return f" A request that waits longer than {Duration(least=limit, most=limit)} gets an error."


def _one_after_the_other(models: Sequence[ModelChange], rollout: Rollout) -> str:
    """In which order models load, if there is no room for all of them at once."""
    waves = _waves(models, rollout)
    if len(waves) < 2:
        return ""
    named = [listed([model.name for model in wave], _NAMED) for wave in waves]
    return f" There is no room for all at once, so they do it in turn: {'; then '.join(named)}."


def _waves(models: Sequence[ModelChange], rollout: Rollout) -> list[list[ModelChange]]:
    """Models by the waves in which they load; one wave if that is not known."""
    waves = [[model for model in models if model.name in wave] for wave in rollout.waves]
    found = [wave for wave in waves if wave]
    return found if sum(map(len, found)) == len(models) else [list(models)]


def _gpus_beside(models: Sequence[ModelChange], rollout: Rollout, expected: Expectation) -> str:
    """The GPUs that new versions take on top at a time, as far as the old ones' minima say."""
    gpus: Counter[str] = Counter()
    for wave in _waves(models, rollout):
        of_wave: Counter[str] = Counter()
        for model in wave:
            if model.before and model.after and model.replicas:
                # As many replicas as run, and at most the new maximum.
                each = model.after.each
                of_wave[model.after.pool] += min(model.replicas * each, model.after.most)
        gpus |= of_wave
    price = expected.usd_per_hour(gpus, whole_nodes=True)
    if not gpus or price is None:
        return ""
    return (
        f" On top with the minimum of replicas: {listed(gpus_in_words(gpus), _NAMED)}, at most "
        f"USD {price:.2f} an hour; more if more replicas run."
    )


def _bill(rollout: Rollout, expected: Expectation) -> str:
    """What the models' GPUs come to afterwards; empty if they stay as many."""
    least: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for model in rollout.models:
        for demand, sign in ((model.before, -1), (model.after, 1)):
            if demand:
                least[demand.pool] += sign * demand.least
                most[demand.pool] += sign * demand.most
    # More replicas than the nodes of a pool hold do not come.
    full = {pool: count for pool, count in expected.full.items() if most[pool]}
    counts = {pool: count for pool, count in most.items() if pool not in full}
    pools = [f"pool {pool} has at most {count} in all" for pool, count in full.items()]
    at_most = f" ({'; '.join(pools)})" if full else ""
    changes = [
        f"{listed(_signed(gpus), _NAMED)} at their {name}{_a_month(priced, expected)}"
        for name, gpus, priced in (
            ("minimum", least, least),
            (f"maximum{at_most}", most, Counter(counts)),
        )
        if any(gpus.values())
    ]
    return f"Afterwards the models take {', and '.join(changes)}." if changes else ""


def _signed(gpus: Counter[str]) -> list[str]:
    return [
        f"{abs(count)} GPU{'s' if abs(count) > 1 else ''} of {pool} "
        f"{'more' if count > 0 else 'fewer'}"
        for pool, count in gpus.items()
        if count
    ]


def _a_month(gpus: Counter[str], expected: Expectation) -> str:
    changed = {pool: count for pool, count in gpus.items() if count}
    if not changed:
        return ""
    known = {pool: count for pool, count in changed.items() if expected.has_price(pool)}
    price = expected.usd_per_hour(known, whole_nodes=False)
    # A pool that goes has no price in the plan any more.
    others = [pool for pool in changed if pool not in known]
    if not known or price is None:
        return f" (the price of {listed(others, _NAMED)} is not known here)"
    # With a part unknown, the rest may have the sign that the whole has not.
    of = f" for {listed(list(known), _NAMED)}" if others else ""
    unknown = f"; the price of {listed(others, _NAMED)} is not known here" if others else ""
    return f" (USD {round(price * HOURS_A_MONTH):+,} a month{of}{unknown})"


def _them(items: Sequence[object]) -> str:
    return "it" if len(items) == 1 else "them"


def _is(items: Sequence[object]) -> str:
    return "is" if len(items) == 1 else "are"


def _counted(what: str, items: Sequence[ModelChange | str]) -> str:
    names = [item.name if isinstance(item, ModelChange) else item for item in items]
    return f"{what}{'s' if len(names) > 1 else ''} {listed(names, _NAMED)}"
