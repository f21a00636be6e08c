"""How an edited model takes over from its old version without a lost request.

Ray Serve stops an old replica before it starts the new one, and replaces the ingress with it. But
the version of an application does not cover its route, and its name carries the version. So the new
version starts beside the old one under a route of its own; once it runs, one change of the serve
config gives it the route and takes the old one away. Where no GPU is free, the new version waits
beside at zero replicas: requests are held by its ingress until the old replica has left its GPU.

Pure: serve configs in, serve configs out. Tried on the real Ray Serve 2.49.1 and 2.60.0.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rollouts.gpu_quota import GpuQuota
from rollouts.serve_models import gpus_of_replica, serve_options

ServeConfig = Mapping[str, Any]
Application = Mapping[str, Any]

BESIDE: Final = "/starting/"
"""The route of an application that starts beside another one; no served name holds a slash."""

_GRACE: Final = "graceful_shutdown_timeout_s"
# Of an application that answers nobody. Serve waits so long for a replica that is still starting.
_SHORT_GRACE_SECONDS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Wave:
    """Applications that start beside those that they replace, at the same time.

    config: the serve config that has both.
    replicas: how many replicas each of them starts with, by application; 0 if it has to wait for
        the GPUs of the old one.
    models: the served names, by application.
    """

    config: ServeConfig
    replicas: Mapping[str, int]
    models: Mapping[str, str]

    def held(self, live: ServeConfig, running: Mapping[str, int]) -> tuple[str, ...]:
        """The models that would take the GPUs of their running old version, by `next_wave`'s."""
        old = {
            model_of(item): running.get(item["name"], 0)
            for item in live["applications"]
            if not _is_beside(item)
        }
        return tuple(
            model
            for name, model in self.models.items()
            if self.replicas[name] == 0 and old.get(model)
        )


@dataclass(frozen=True, kw_only=True)
class Course:
    """How the models of a change take over, by served names.

    held: those whose requests are held while they load, because their pools have no room.
    beside: those that load beside their old versions, by the waves in which they do.
    """

    held: tuple[str, ...]
    beside: tuple[tuple[str, ...], ...]


def next_wave(
    live: ServeConfig,
    wanted: ServeConfig,
    running: Mapping[str, int],
    pool_gpus: Mapping[str, int],
    without_room: frozenset[str] = frozenset(),
    quotas: Sequence[GpuQuota] = (),
) -> Wave | None:
    """What to start beside the applications that run; None if no model has to be replaced.

    Models are taken in the order of the stack file as far as there is room. Those that would have
    room once others are done are left for the next wave; those that never have any start with the
    last wave, at zero replicas.

    live: the serve config of the cluster; applications beside it that are not wanted are dropped.
    wanted: the serve config to come.
    running: replicas of each application of `live` that run.
    pool_gpus: the most GPUs that each pool can have.
    without_room: models that are to wait for the GPUs of their old version.
    quotas: what limits several pools together.
    """
    kept = [item for item in live["applications"] if not is_leftover(item, wanted)]
    replaced = {model_of(item): item for item in kept if not _is_beside(item)}
    edited = [item for item in wanted["applications"] if _replaces(item, replaced)]
    if not edited:
        return None
    used: Counter[str] = Counter()

    def free(pool: str) -> int:
        limits = [quota.room(pool, used) for quota in quotas]
        return min(
            [pool_gpus.get(pool, 0) - used[pool], *(more for more in limits if more is not None)]
        )

    # What starts beside has its GPUs already, or will have them.
    already = {item["name"]: running_at_least(item) for item in kept if _is_beside(item)}
    for item in kept:
        pool, gpus = gpus_of_replica(item)
        used[pool] += gpus * max(running.get(item["name"], 0), already.get(item["name"], 0))
    counts: dict[str, int] = {}
    later: list[Application] = []
    for item in edited:
        old = replaced[model_of(item)]
        count = _count(item, running.get(old["name"], 0), free, already.get(item["name"], 0))
        if model_of(item) in without_room:
            count = 0
        if count == 0 and running.get(old["name"], 0):
            later.append(item)
        else:
            counts[item["name"]] = count
            pool, gpus = gpus_of_replica(item)
            used[pool] += gpus * max(0, count - already.get(item["name"], 0))
    if not counts or all(count == 0 for count in counts.values()):
        counts |= {item["name"]: 0 for item in later}
    starting = [item for item in edited if item["name"] in counts]
    names = {item["name"] for item in starting}
    beside = [_beside(item, counts[item["name"]]) for item in starting]
    replaced_now = {model_of(item) for item in starting}
    others = [
        _draining(item, live, running) if model_of(item) in replaced_now else item
        for item in kept
        if item["name"] not in names
    ]
    return Wave(
        config={**live, "applications": [*others, *beside]},
        replicas=counts,
        models={item["name"]: model_of(item) for item in starting},
    )


def is_last(wave: Wave, wanted: ServeConfig) -> bool:
    """Whether the final serve config is all that is left to do when a wave runs."""
    after = handed_over(wave.config, wanted, wave.models)
    return next_wave(after, wanted, {}, {}) is None


def held_models(
    live: ServeConfig,
    wanted: ServeConfig,
    pool_gpus: Mapping[str, int],
    running: Mapping[str, int] | None = None,
    quotas: Sequence[GpuQuota] = (),
) -> tuple[str, ...]:
    """The models of `course` whose requests are held."""
    return course(live, wanted, pool_gpus, running, quotas).held


def course(
    live: ServeConfig,
    wanted: ServeConfig,
    pool_gpus: Mapping[str, int],
    running: Mapping[str, int] | None = None,
    quotas: Sequence[GpuQuota] = (),
) -> Course:
    """How all models of a change take over, wave by wave.

    running: replicas of each application that run. Without it each model's minimum counts, so with
        more replicas up more models may be held.
    """
    if running is None:
        running = {item["name"]: running_at_least(item) for item in live["applications"]}
    held: list[str] = []
    beside: list[tuple[str, ...]] = []
    while wave := next_wave(live, wanted, running, pool_gpus, quotas=quotas):
        waiting = wave.held(live, running)
        held += waiting
        if loading := tuple(name for name in wave.models.values() if name not in waiting):
            beside.append(loading)
        live = handed_over(wave.config, wanted, wave.models)
        running = {**running, **wave.replicas}
    return Course(held=tuple(held), beside=tuple(beside))


def handed_over(
    live: ServeConfig, wanted: ServeConfig, applications: Collection[str]
) -> ServeConfig:
    """The serve config in which these applications have their routes and the old ones are gone."""
    new = {item["name"]: item for item in wanted["applications"] if item["name"] in applications}
    models = {model_of(item) for item in new.values()}
    kept = [
        item
        for item in live["applications"]
        if item["name"] not in new and (_is_beside(item) or model_of(item) not in models)
    ]
    return {**live, "applications": [*kept, *new.values()]}


def without(live: ServeConfig, applications: Collection[str]) -> ServeConfig:
    """The serve config without these applications."""
    kept = [item for item in live["applications"] if item["name"] not in applications]
    return {**live, "applications": kept}


def leftovers(
    live: ServeConfig, wanted: ServeConfig, failed: Collection[str] = ()
) -> frozenset[str]:
    """The applications that interrupted rollouts left beside others and that are of no use now.

    failed: applications that have failed; beside others these have to start anew.
    """
    return frozenset(
        item["name"]
        for item in live["applications"]
        if is_leftover(item, wanted) or (_is_beside(item) and item["name"] in failed)
    )


def running_at_least(application: Application) -> int:
    """How many replicas surely run of an application that runs."""
    scaling = serve_options(application).get("autoscaling_config") or {}
    least = scaling.get("min_replicas")
    return least if isinstance(least, int) else 0


def running_at_most(application: Application) -> int:
    """How many replicas may run of an application."""
    scaling = serve_options(application).get("autoscaling_config") or {}
    most = scaling.get("max_replicas")
    return most if isinstance(most, int) else running_at_least(application)


def is_leftover(application: Application, wanted: ServeConfig) -> bool:
    """Whether it is beside another one and no version of a model that is wanted."""
    names = {item["name"] for item in wanted["applications"]}
    return _is_beside(application) and application["name"] not in names


def model_of(application: Application) -> str:
    """The served name, which is the route."""
    name: str = application["route_prefix"].removeprefix("/")
    return name


def pool_of(application: Application) -> str:
    """The pool on whose GPUs it runs; empty if it takes none."""
    return gpus_of_replica(application)[0]


def _is_beside(application: Application) -> bool:
    route: str = application["route_prefix"]
    return route.startswith(BESIDE)


def _replaces(application: Application, running: Mapping[str, Application]) -> bool:
    old = running.get(model_of(application))
    return old is not None and old["name"] != application["name"]


def _count(item: Application, running: int, free: Callable[[str], int], already: int) -> int:
    """With how many replicas a version starts: as many as answer now, if there is room."""
    pool, gpus = gpus_of_replica(item)
    most: int = serve_options(item)["autoscaling_config"]["max_replicas"]
    room = free(pool) // gpus if gpus else running
    return max(0, min(running, most, already + max(0, room)))


def _beside(application: Application, replicas: int) -> Application:
    """The application under a route of its own, with so many replicas from the start."""
    return {
        **application,
        "route_prefix": f"{BESIDE}{application['name']}",
        "deployments": list(_deployments_beside(application, replicas)),
    }


def _deployments_beside(application: Application, replicas: int) -> Iterator[Mapping[str, Any]]:
    model = serve_options(application)
    for options in application["deployments"]:
        scaling = dict(options["autoscaling_config"])
        if options is model:
            scaling |= {"min_replicas": replicas, "initial_replicas": replicas}
        else:
            # The ingress is there before it is asked. But before Ray 2.58 it does not start without
            # a replica of the model, and would wake one.
            least = max(1, scaling["min_replicas"]) if replicas else 0
            scaling |= {"min_replicas": least, "initial_replicas": least}
        scaling["max_replicas"] = max(scaling["max_replicas"], scaling["min_replicas"])
        yield {**options, "autoscaling_config": scaling, _GRACE: _SHORT_GRACE_SECONDS}


def _draining(
    application: Application, live: ServeConfig, running: Mapping[str, int]
) -> Application:
    """The old application, with as much time to end its requests as a request may take.

    Serve takes the new time from the entries that there are without a restart. An entry that is
    added would restart the deployment.
    """
    grace = (
        live["http_options"]["request_timeout_s"]
        if running.get(application["name"], 0)
        else _SHORT_GRACE_SECONDS
    )
    deployments = [{**item, _GRACE: grace} for item in application.get("deployments") or ()]
    return {**application, "deployments": deployments}
