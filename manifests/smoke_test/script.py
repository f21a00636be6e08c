"""Asks every model of a RayService one small question; exit code 0 when all of them answer.

Runs as a Job in the cluster, in the Ray image, with the standard library and PyYAML alone, on
Python 3.9 or later. KubeRay's Ready is not enough: it stays true while an edited configuration is
still being applied, and it counts endpoints, not models.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REQUEST_SECONDS = 120.0
POLL_SECONDS = (0.5, 5.0)  # first and longest pause between two rounds
# A pause is about a tenth of the time that was waited: that is all that a ready model waits for us.
POLL_GROWTH = 1.1
AT_ONCE = 8
# KubeRay looks at a RayService every two seconds. It does not always write observedGeneration down
# (its comparison of statuses leaves it out), so a lag is believed for this long only.
SETTLE_SECONDS = 20.0
# For Serve to take out a failed application; its replicas have all ended by then.
REMOVAL_SECONDS = 30.0
MESSAGE_LIMIT = 600
APPLICATIONS = "/api/serve/applications/"
# The RayService's annotation with the name of the Job that asks about it as it now is.
ASKED_BY = "ray-llm/asked-by"
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{6,}")
_EXCEPTION = re.compile(r"^\s*([\w.]+(Error|Exception|Exit|Interrupt|Killed)\b.*)$")
# What a model that cannot do this kind of request answers, as a base model has no chat.
_NOT_THIS_KIND = (400, 405, 422, 501)


@dataclass(frozen=True)
class Settings:
    """Where to look and for how long.

    cluster_dashboard_url: the dashboard of one Ray cluster, with `{cluster}` for its name.
    job_name, job_labels: the Job that this is, and the label selector of all that ask this service.
    """

    configs: Path
    serve_url: str
    dashboard_url: str
    cluster_dashboard_url: str
    namespace: str
    ray_service: str
    job_name: str
    job_labels: str
    deadline_seconds: float
    kubernetes_url: str | None
    service_account: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Reads the Job's environment; KeyError names what is missing."""
        host = env.get("KUBERNETES_SERVICE_HOST")
        if host and ":" in host:
            host = f"[{host}]"
        port = env.get("KUBERNETES_SERVICE_PORT", "443")
        return cls(
            configs=Path(env["LLM_CONFIGS"]),
            serve_url=env["SERVE_URL"],
            dashboard_url=env["DASHBOARD_URL"],
            cluster_dashboard_url=env["CLUSTER_DASHBOARD_URL"],
            namespace=env["NAMESPACE"],
            ray_service=env["RAY_SERVICE"],
            job_name=env["JOB_NAME"],
            job_labels=env["JOB_LABELS"],
            deadline_seconds=float(env["DEADLINE_SECONDS"]),
            kubernetes_url=env.get("KUBERNETES_URL")
            or (f"https://{host}:{port}" if host else None),
            service_account=Path(env.get("SERVICE_ACCOUNT", SERVICE_ACCOUNT)),
        )


@dataclass(frozen=True)
class Model:
    """One model as it should be deployed."""

    name: str
    config: Mapping[str, Any]
    min_replicas: int


@dataclass(frozen=True)
class Verdict:
    """What is known of a model: settled well, settled badly, or why it is not settled yet."""

    settled: bool
    good: bool
    text: str
    seconds: float = 0.0


@dataclass(frozen=True)
class View:
    """The service at one moment: the applications that serve, and those of a cluster to come.

    submitted_to: the Serve API that the configuration goes to, of the cluster to come if any.
    rejected: why KubeRay refuses the RayService, None where it does not.
    waiting: why nothing of the new configuration can be expected yet.
    ray_cluster: the name of the Ray cluster that serves, where that is known.
    """

    applications: Mapping[str, Any]
    upcoming: Mapping[str, Any]
    submitted_to: str
    waiting: str | None = None
    rejected: str | None = None
    ray_cluster: str | None = None


def read_models(folder: Path) -> list[Model]:
    """The models whose LLM configs stand in `folder`, one file a model, by name."""
    models = []
    for path in sorted(folder.glob("*.yaml")):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        scaling = config["deployment_config"]["autoscaling_config"]
        name = config["model_loading_config"]["model_id"]
        models.append(Model(name, config, scaling["min_replicas"]))
    return models


def look(settings: Settings, elapsed: float) -> View:
    """Reads the RayService and the Serve API; what cannot be reached is a reason to wait.

    elapsed: seconds since the first look.
    """
    upcoming: Mapping[str, Any] = {}
    submitted_to = settings.dashboard_url
    waiting = ray_cluster = None
    try:
        service = _ray_service(settings)
    except (OSError, ValueError) as error:
        if elapsed < SETTLE_SECONDS:
            return View(
                {},
                {},
                submitted_to,
                waiting=f"the Kubernetes API does not answer: {_reason(error)}",
            )
        service = None  # kept from it by a network policy, say; the rest can be seen without it
    if service is not None:
        status = service.get("status") or {}
        generation = service["metadata"].get("generation", 0)
        current = elapsed >= SETTLE_SECONDS or status.get("observedGeneration", 0) >= generation
        for condition in status.get("conditions") or []:
            if condition.get("reason") == "ValidationFailed" and elapsed >= SETTLE_SECONDS:
                return View(
                    {}, {}, submitted_to, rejected=condition.get("message") or "ValidationFailed"
                )
        ray_cluster = (status.get("activeServiceStatus") or {}).get("rayClusterName")
        cluster = (status.get("pendingServiceStatus") or {}).get("rayClusterName")
        if not current:
            waiting = "KubeRay has not yet seen the new configuration"
        elif cluster:
            waiting = "the Ray cluster for the new configuration is not ready"
            submitted_to = settings.cluster_dashboard_url.format(cluster=cluster)
            upcoming = _applications(submitted_to) or {}
    applications = _applications(settings.dashboard_url)
    if applications is None:
        waiting = waiting or "the Serve API does not answer"
    return View(
        applications or {}, upcoming, submitted_to, waiting=waiting, ray_cluster=ray_cluster
    )


def judge(model: Model, view: View, settings: Settings) -> Verdict:
    """What `view` says of one model and, where it should answer, what it answers."""
    if view.rejected:
        return Verdict(True, False, f"KubeRay refuses the RayService: {one_line(view.rejected)}")
    for applications in (view.upcoming, view.applications):
        application = applications.get(model.name)
        if application and _deployed(application) == model.config:
            if application["status"] == "DEPLOY_FAILED":
                return Verdict(True, False, engine_error(application))
            if applications is view.upcoming and application["status"] != "RUNNING":
                return Verdict(False, False, _progress(application))
    if view.waiting:
        return Verdict(False, False, view.waiting)
    application = view.applications.get(model.name)
    if application is None:
        return Verdict(False, False, "its application is not deployed")
    if _deployed(application) != model.config:
        return Verdict(False, False, "still runs with its previous configuration")
    if application["status"] != "RUNNING":
        return Verdict(False, False, _progress(application))
    if model.min_replicas == 0:
        return Verdict(True, True, "deployed, starts with its first request")
    return ask(model, settings)


def ask(model: Model, settings: Settings) -> Verdict:
    """Lists the models at the route and sends a question, in the form that the model knows."""
    base = f"{settings.serve_url}/{model.name}/v1"
    question = "Say hello."
    forms = (
        ("chat/completions", {"messages": [{"role": "user", "content": question}]}, "choices"),
        ("completions", {"prompt": question}, "choices"),
        ("embeddings", {"input": question}, "data"),
    )
    refusals = []
    try:
        listed = fetch(f"{base}/models")
        if model.name not in [entry.get("id") for entry in listed.get("data", [])]:
            return Verdict(False, False, f"{base}/models does not list it")
        for path, body, answer in forms:
            limit = {} if path == "embeddings" else {"max_tokens": 8, "temperature": 0}
            started = time.monotonic()
            try:
                reply = fetch(f"{base}/{path}", {"model": model.name, **body, **limit})
            except urllib.error.HTTPError as error:
                if error.code not in _NOT_THIS_KIND:
                    raise
                refusals.append(f"{path}: {_reason(error)}")
                continue
            if not reply.get(answer):
                return Verdict(False, False, f"{path} answers without {answer}")
            return Verdict(True, True, f"answers {path}", time.monotonic() - started)
    except (OSError, ValueError) as error:
        return Verdict(False, False, f"does not answer: {_reason(error)}")
    return Verdict(True, False, one_line("refuses the question: " + "; ".join(refusals)))


def restart_failed(models: list[Model], serve_api: str) -> list[str]:
    """Has Serve start once more what had failed before anyone asked; the names.

    Serve gives up on a model after three tries and starts it again only when its configuration
    changes. Where the reason lay elsewhere, in a licence not yet accepted or a token that had
    expired, the same configuration must get another chance, so the failed applications are taken
    out and put back. Only where the whole configuration is applied, for KubeRay then has nothing
    left to submit that this could overwrite.
    """
    details = _details(serve_api) or {}
    applications = details.get("applications") or {}
    failed = [name for name, item in applications.items() if item["status"] == "DEPLOY_FAILED"]
    deployed = {name: _deployed(item) for name, item in applications.items()}
    if not failed or deployed != {model.name: model.config for model in models}:
        return []
    url = serve_api + APPLICATIONS
    whole = {
        "proxy_location": details["proxy_location"],
        "http_options": details["http_options"],
        "applications": [item["deployed_app_config"] for item in applications.values()],
    }
    kept = [item for item in whole["applications"] if item["name"] not in failed]
    _put(url, {**whole, "applications": kept})
    _await_removal(failed, serve_api)
    _put(url, whole)
    return failed


def _await_removal(names: list[str], serve_api: str) -> None:
    """Returns when Serve has taken the applications out.

    One that comes back before that is the same to Serve, which goes on where it had failed.
    """
    deadline = time.monotonic() + REMOVAL_SECONDS
    while time.monotonic() < deadline:
        applications = _applications(serve_api)
        if applications is not None and not applications.keys() & set(names):
            return
        time.sleep(POLL_SECONDS[0])


def remove_left_jobs(settings: Settings, say: Callable[[str], None]) -> None:
    """Deletes the Jobs of updates that were killed while they waited, with their pods.

    Such a Job never came into Pulumi's state, and once the stack file is edited the next one has
    another name. Only the Job that the RayService names may do it: a node that goes away has the
    pod of a left Job started again, while the Job of a later update asks.
    """
    if settings.kubernetes_url is None:
        return
    jobs = f"/apis/batch/v1/namespaces/{settings.namespace}/jobs"
    selector = urllib.parse.urlencode({"labelSelector": settings.job_labels})
    try:
        service = _ray_service(settings)
        annotations = (service and service["metadata"].get("annotations")) or {}
        if annotations.get(ASKED_BY) != settings.job_name:
            return
        listed = _kubernetes(settings, f"{jobs}?{selector}").get("items") or []
        for name in sorted(job["metadata"]["name"] for job in listed):
            if name == settings.job_name:
                continue
            try:
                _kubernetes(settings, f"{jobs}/{name}?propagationPolicy=Background", "DELETE")
            except urllib.error.HTTPError as error:
                if error.code not in (404, 409):  # somebody else is at it
                    raise
            else:
                say(f"removed {name}, which an interrupted update had left")
    except (OSError, ValueError, KeyError) as error:
        say(f"what interrupted updates may have left stays: {_reason(error)}")


def restore_worker_counts(settings: Settings, name: str, say: Callable[[str], None]) -> bool:
    """Has the groups of a Ray cluster count the workers that they have; whether to look again.

    When KubeRay rewrites a live cluster, for a pool that is appended, it writes the RayService's
    numbers over those of Ray's autoscaler, which counts on from there: of two workers at
    `replicas: 1` the next one is asked for as the second, and never comes.
    """
    cluster = f"/apis/ray.io/v1/namespaces/{settings.namespace}/rayclusters/{name}"
    try:
        groups = _kubernetes(settings, cluster)["spec"].get("workerGroupSpecs") or []
        selector = f"ray.io/cluster={name},ray.io/node-type=worker"
        query = urllib.parse.urlencode({"labelSelector": selector})
        pods = _kubernetes(settings, f"/api/v1/namespaces/{settings.namespace}/pods?{query}")
        for index, group in enumerate(groups):
            written, count = group.get("replicas") or 0, _count_workers(group, pods["items"])
            if written < count:
                # The tests: somebody else may count meanwhile, and then we look again.
                path = f"/spec/workerGroupSpecs/{index}"
                patch = [
                    {"op": "test", "path": f"{path}/groupName", "value": group["groupName"]},
                    {"op": "test", "path": f"{path}/replicas", "value": group.get("replicas")},
                    {"op": "replace", "path": f"{path}/replicas", "value": count},
                ]
                _kubernetes(settings, cluster, "PATCH", patch)
                say(f"{group['groupName']}: {count} workers again, of which KubeRay kept {written}")
    except urllib.error.HTTPError as error:
        if error.code not in (404, 409, 422):
            say(f"numbers of workers stay as KubeRay wrote them: {_reason(error)}")
            return False
    except (OSError, ValueError, KeyError):
        pass  # whatever does not answer is told with the models
    return True


def _count_workers(group: Mapping[str, Any], pods: list[Mapping[str, Any]]) -> int:
    """How many workers of a group there are and stay."""
    leaving = (group.get("scaleStrategy") or {}).get("workersToDelete") or []
    staying = [
        pod
        for pod in pods
        if pod["metadata"]["labels"].get("ray.io/group") == group["groupName"]
        and pod["metadata"]["name"] not in leaving
        and "deletionTimestamp" not in pod["metadata"]
        and pod.get("status", {}).get("phase") in ("Pending", "Running")
    ]
    count: int = min(len(staying) // group.get("numOfHosts", 1), group["maxReplicas"])
    return count


def engine_error(application: Mapping[str, Any]) -> str:
    """The last error of the engine, from the messages of the application and its deployments."""
    deployments = (application.get("deployments") or {}).values()
    messages = [d.get("message") or "" for d in deployments if d.get("status") != "HEALTHY"]
    for message in [*messages, application.get("message") or ""]:
        for line in reversed(message.splitlines()):
            if _EXCEPTION.match(line):
                return one_line(line)
    told = [*messages, application.get("message") or ""]
    return one_line(next((text for text in told if text.strip()), application["status"]))


def one_line(text: str) -> str:
    """The text on one line, of a bearable length and without a token."""
    line = _TOKEN.sub("[secret]", " ".join(text.split()))
    return line if len(line) <= MESSAGE_LIMIT else f"{line[: MESSAGE_LIMIT - 3]}..."


def fetch(
    url: str,
    body: Mapping[str, Any] | list[Any] | None = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
    method: str | None = None,
) -> dict[str, Any]:
    """The JSON object that `url` answers, to POST where there is a body and no method is given.

    Raises OSError (HTTPError and timeouts too) or ValueError.
    """
    method = method or ("GET" if body is None else "POST")
    answer = json.loads(_send(method, url, body, headers, context))
    if not isinstance(answer, dict):
        raise ValueError(f"{url} answers no JSON object")
    return answer


def run(settings: Settings, say: Callable[[str], None]) -> int:
    """Asks until every model is settled or the time is up; the exit code."""
    models = read_models(settings.configs)
    verdicts: dict[str, Verdict] = {}
    started = time.monotonic()
    pause, longest = POLL_SECONDS
    counting = True
    remove_left_jobs(settings, say)
    # Once: what fails after that has failed while it was asked about.
    try:
        for name in restart_failed(models, look(settings, 0).submitted_to):
            say(f"{name}: had failed and is started once more")
    except (OSError, ValueError, KeyError) as error:
        say(f"what had failed could not be started once more: {one_line(repr(error))}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            view = look(settings, time.monotonic() - started)
            # After the look: once that has seen KubeRay done, so does this.
            if counting and view.ray_cluster:
                counting = restore_worker_counts(settings, view.ray_cluster, say)
            unsettled = [model for model in models if not _settled(verdicts.get(model.name))]
            judged = {model.name: pool.submit(judge, model, view, settings) for model in unsettled}
            for name, future in judged.items():
                verdict = future.result()
                if name not in verdicts or verdicts[name].text != verdict.text:
                    say(f"{name}: {verdict.text}")
                verdicts[name] = verdict
            late = time.monotonic() + pause > started + settings.deadline_seconds
            if late or all(verdict.settled for verdict in verdicts.values()):
                return _report(models, verdicts, settings, say)
            time.sleep(pause)
            pause = min(pause * POLL_GROWTH, longest)


def main(env: Mapping[str, str]) -> int:
    """Runs with the settings of `env`; the exit code."""
    return run(Settings.from_env(env), lambda line: print(line, flush=True))


def _put(url: str, body: Mapping[str, Any]) -> None:
    _send("PUT", url, body)


def _send(
    method: str,
    url: str,
    body: Mapping[str, Any] | list[Any] | None = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - addresses of our own
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    # No proxy: everything that is asked is inside the cluster.
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(request, timeout=REQUEST_SECONDS) as response:
            answer: bytes = response.read()
    except http.client.HTTPException as error:
        raise OSError(f"the connection broke off: {error!r}") from error
    return answer


def _settled(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.settled


def _report(
    models: list[Model],
    verdicts: Mapping[str, Verdict],
    settings: Settings,
    say: Callable[[str], None],
) -> int:
    bad = [model for model in models if not verdicts[model.name].good]
    width = max([len(model.name) for model in models], default=0)
    say("")
    for model in models:
        verdict = verdicts[model.name]
        if verdict.good:
            took = f"{verdict.seconds:7.2f} s" if verdict.seconds else " " * 9
            say(f"{model.name:<{width}}  {took}  {verdict.text}")
    # Last, because the end of the log is what Kubernetes keeps as the pod's message.
    for model in bad:
        verdict = verdicts[model.name]
        late = "" if verdict.settled else f"not ready after {settings.deadline_seconds:.0f} s: "
        say(f"{model.name}: {late}{verdict.text}")
    if bad:
        say(f"{len(bad)} of {len(models)} models do not answer")
    return 1 if bad else 0


def _ray_service(settings: Settings) -> Any | None:
    """The RayService; None where this pod may not read it, which is no reason to fail."""
    if settings.kubernetes_url is None:
        return None
    try:
        return _kubernetes(
            settings,
            f"/apis/ray.io/v1/namespaces/{settings.namespace}/rayservices/{settings.ray_service}",
        )
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):
            return None
        raise


def _kubernetes(
    settings: Settings, path: str, method: str = "GET", patch: list[Any] | None = None
) -> dict[str, Any]:
    """What the Kubernetes API answers this pod's account; raises as `fetch` does.

    patch: operations of a JSON patch.
    """
    url = f"{settings.kubernetes_url}{path}"
    token = settings.service_account / "token"
    authority = settings.service_account / "ca.crt"
    headers = {"Authorization": f"Bearer {token.read_text()}"} if token.exists() else {}
    if patch is not None:
        headers["Content-Type"] = "application/json-patch+json"
    return fetch(
        url,
        patch,
        headers,
        context=ssl.create_default_context(cafile=str(authority))
        if url.startswith("https:")
        else None,
        method=method,
    )


def _applications(serve_api: str) -> Mapping[str, Any] | None:
    details = _details(serve_api)
    return None if details is None else details.get("applications") or {}


def _details(serve_api: str) -> dict[str, Any] | None:
    try:
        return fetch(serve_api + APPLICATIONS)
    except (OSError, ValueError):
        return None


def _deployed(application: Mapping[str, Any]) -> Any | None:
    """The LLM config that the application was deployed with."""
    args = (application.get("deployed_app_config") or {}).get("args") or {}
    return next(iter(args.get("llm_configs") or []), None)


def _progress(application: Mapping[str, Any]) -> str:
    error = engine_error(application)
    status = str(application["status"])
    return status if error == status else f"{status}: {error}"


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        body = error.read(4000).decode("utf-8", "replace")
        return one_line(f"HTTP {error.code} {body}")
    return one_line(str(getattr(error, "reason", None) or error) or type(error).__name__)


if __name__ == "__main__":
    sys.exit(main(os.environ))
