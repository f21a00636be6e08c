"""Live objects that are not what the stack file would write.

As `ray-llm drift`, which knows the state and so whose change it was; this compares two sides alone,
and only what every release of KubeRay takes for different.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from diagnosis.case import Case
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.shown_values import opened, shown_value
from diagnosis.snapshot import Part, metadata, name
from manifests import JOB_ANNOTATION, Manifest, as_awake, deployed_config, service_manifests
from rollouts import BESIDE, Difference, additions, as_live, differences

_CONFIG: Final = "spec.serveConfigV2"
_MOST: Final = 6
# The field managers of Pulumi's provider, of this program's own clients and of KubeRay.
_OURS: Final = ("pulumi", "ray-llm", "kuberay-operator", "ray-operator")
# Ray's autoscaler writes the numbers of workers into the RayCluster, and a rollout's hand-over the
# grace of replicas, which the end of it takes back.
_NUMBERS: Final = ("replicas", "workersToDelete", "graceful_shutdown_timeout_s")


def live_objects(case: Case) -> Iterator[Finding]:
    """The RayService, the ConfigMaps and what Ray Serve runs, compared with the stack file."""
    live = case.snapshot.ray_service
    if live is None or JOB_ANNOTATION not in (metadata(live).get("annotations") or {}):
        return  # not there, or of another layout: everything would differ
    wanted = service_manifests(case.plan)
    yield from _ray_service(case, live, wanted.ray_service)
    if case.snapshot.saw(Part.CONFIG_MAPS):
        yield from _config_maps(case, wanted.config_maps)
    yield from _running(case, wanted.ray_service)


def _finding(case: Case, subject: str, what: str, paths: list[str], path: str = "") -> Finding:
    more = len(paths) - _MOST
    return Finding(
        rule="live-differs",
        subject=subject,
        what=what,
        why="; ".join([*paths[:_MOST], *([f"and {more} more"] if more > 0 else [])]),
        gravity=Gravity.NOTE,
        mend=Mend(
            path=path,
            text="Deploy the stack file, or write into it what was changed; `ray-llm drift` tells "
            "whose change it was.",
            command=f"pulumi up --refresh --stack {case.plan.stack}",
        ),
    )


def _ray_service(case: Case, live: Mapping[str, Any], wanted: Manifest) -> Iterator[Finding]:
    spec = wanted["spec"]
    paths = []
    for found in differences(as_live(spec, as_awake(live).get("spec") or {}), spec, "spec"):
        if found.path == _CONFIG:
            paths += list(_of_text(found.old, found.new))
        elif found.certain and found.path.rpartition(".")[2] not in _NUMBERS:
            paths.append(_pair(found.path, found.old, found.new))
    try:
        added = additions(wanted, live, ())
    except ValueError:
        added = ()
    paths += [
        f"{item.path} was added by {item.manager}"
        for item in added
        if item.manager and not item.manager.startswith(_OURS)
    ]
    if paths:
        yield _finding(
            case, case.service_subject, "it is not what the stack file would write", paths
        )


def _of_text(live: Any, wanted: Any) -> Iterator[str]:
    is_, will_be = opened(live), opened(wanted)
    if is_ is None or will_be is None:
        yield f"{_CONFIG} is another text"
        return
    for found in differences(is_, will_be, "serveConfigV2"):
        if found.path.rpartition(".")[2] not in _NUMBERS:
            yield _pair(found.path, found.old, found.new)


def _pair(path: str, live: Any, wanted: Any) -> str:
    is_, will_be = shown_value(path, live) or "nothing", shown_value(path, wanted) or "nothing"
    return f"{path} is {is_} and would be {will_be}"


def _config_maps(case: Case, wanted: tuple[Manifest, ...]) -> Iterator[Finding]:
    live = {name(item): item for item in case.snapshot.config_maps}
    paths = []
    for item in wanted:
        own = item["metadata"]["name"]
        if own not in live:
            paths.append(f"ConfigMap {own} is not there")
        elif (live[own].get("data") or {}) != item["data"]:
            paths.append(f"ConfigMap {own} has other content")
    if paths:
        yield _finding(case, "the ConfigMaps", "they are not what the stack would write", paths)


def _sleeps(case: Case, model: str, found: Difference) -> bool:
    """Whether the schedule alone has made the difference: it writes a least number of zero."""
    off_hours = case.plan.off_hours
    return (
        off_hours is not None
        and model in off_hours.hours_a_week
        and found.path.endswith("min_replicas")
        and found.old == 0
    )


def _running(case: Case, wanted: Manifest) -> Iterator[Finding]:
    """Models that Ray Serve runs with another configuration, and those of no stack file."""
    data = opened(wanted["spec"]["serveConfigV2"]) or {}
    by_route: Mapping[str, Any] = data.get("applications") or {}
    paths = []
    for model in case.plan.models:
        application = case.serve.get(model.name)
        own = by_route.get(model.route)
        if application is None or own is None:
            continue
        try:
            is_, will_be = (
                deployed_config(application),
                deployed_config({"deployed_app_config": own}),
            )
        except (KeyError, TypeError, AttributeError):
            continue
        paths += [
            _pair(f"{model.name}: {found.path}", found.old, found.new)
            for found in differences(is_, will_be)
            if found.certain and not _sleeps(case, model.name, found)
        ]
    known = {model.name for model in case.plan.models}
    paths += [
        f"{found} runs and is not in the stack file"
        for found in case.serve
        if found not in known and not f"/{found}".startswith(BESIDE)
    ]
    if paths:
        yield _finding(case, "Ray Serve", "it does not run what the stack file says", paths)
