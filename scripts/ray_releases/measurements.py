"""Measures options of Ray Serve that this program may write, on one node of one release.

    .venv/bin/python -m scripts.ray_releases.measurements RELEASE NAME [NAME ...]

What was measured, and what follows, is in docs/ray-options.md. The engine echoes, so the figures
are those of Serve alone; what is compared is measured in turns in one run.
"""

import argparse
import contextlib
import copy
import http.client
import json
import statistics
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from manifests import MODEL_DEPLOYMENT
from scripts.ray_releases import environments
from scripts.ray_releases.__main__ import VLLM_FACTS
from scripts.ray_releases.nodes import STANDINS, Nodes
from scripts.ray_releases.serve_api import Details, ServeApi, model_replicas, replicas, statuses
from scripts.ray_releases.stack import EDITED, SLEEPING, Group, write
from scripts.ray_releases.traffic import Traffic, ask, say_hello

Config = dict[str, Any]
READY_SECONDS: Final = 400
QUICK_SECONDS: Final = 300
DIRECT: Final = {
    "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING": "1",
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
}
LABEL: Final = "ray-llm/pool"


@contextlib.contextmanager
def one_node(
    ray: str, gpus: int = 1, variables: dict[str, str] | None = None
) -> Iterator[tuple[Nodes, ServeApi]]:
    """A cluster of one node that has everything: routers, and GPUs of the pools t4 and l4."""
    written = write(ray)
    resources = json.dumps({"routers": 8, "l4": gpus, "t4": 1})
    head = Group(
        name="head",
        start_params={"num-cpus": "8", "num-gpus": str(gpus + 1), "resources": f"'{resources}'"},
        variables=written.groups[0].variables,
    )
    facts = VLLM_FACTS / f"{written.plan.release.ray.vllm}.yaml"
    with Nodes(
        environments.install(ray), replace(written, groups=(head,)), facts, variables
    ) as nodes:
        yield nodes, ServeApi(nodes.dashboard_url)


def config_of(ray: str, model: str, edits: int = 0, **deployment: Any) -> Config:
    """The generated config with one application, whose name does not change with an edit.

    So Ray Serve edits it in place. deployment: further options of the model's deployment.
    """
    config = copy.deepcopy(write(ray, edits).serve_config)
    [application] = [app for app in config["applications"] if app["route_prefix"] == f"/{model}"]
    application["name"] = model
    config["applications"] = [application]
    override_of_model(application).update(deployment)
    return config


def override_of_model(application: Config) -> dict[str, Any]:
    """The options of the model's deployment, which win over those in `args`."""
    [found] = [
        item for item in application["deployments"] if item["name"].startswith(MODEL_DEPLOYMENT)
    ]
    options: dict[str, Any] = found
    return options


def drop_ingress(application: Config) -> None:
    """Take out the options of the ingress, whose class is another one with direct streaming."""
    application["deployments"] = [override_of_model(application)]


def deploy(api: ServeApi, config: Config) -> str:
    """Deploys and waits; what came of it, with the message of what failed."""
    status, answer = api.deploy(config)
    if status != 200:
        return f"PUT {status}: {answer[-400:]}"
    time.sleep(1)
    _, _, details = api.wait(_settled, READY_SECONDS)
    for name, item in details.items():
        if item["status"] != "RUNNING":
            texts = [item["message"], *(d["message"] for d in item["deployments"].values())]
            return f"{name} {item['status']}: {' / '.join(text[-300:] for text in texts if text)}"
    return "RUNNING"


def _settled(details: Details) -> bool:
    return bool(details) and not set(statuses(details).values()) & {"DEPLOYING", "NOT_STARTED"}


def full_queue(ray: str) -> None:
    """What a client sees when the queue of a model is full."""
    backpressure = {"backpressure_config": {"status_code": 429, "retry_after_s": 5}}
    with one_node(ray) as (nodes, api):
        for words, where, extra in (
            ("max_queued_requests on the model", "model", {}),
            ("... with backpressure_config", "model", backpressure),
            ("max_queued_requests on the ingress", "ingress", {}),
            ("... with backpressure_config", "ingress", backpressure),
        ):
            limits = {"max_ongoing_requests": 2, "max_queued_requests": 2, **extra}
            config = config_of(ray, EDITED, **(limits if where == "model" else {}))
            if where == "ingress":
                config["applications"][0]["deployments"][0] |= limits
            nodes.faults.write_text("{}", encoding="utf-8")
            came = deploy(api, config)
            nodes.faults.write_text(json.dumps({EDITED: {"token_seconds": 2}}), encoding="utf-8")
            seen = answers_of(nodes, 12) if came == "RUNNING" else {}
            print(f"{words}: {came} {dict(seen)}", flush=True)


def answers_of(nodes: Nodes, count: int) -> Counter[str]:
    """The answers to requests that are sent at once."""
    seen: Counter[str] = Counter()

    def one() -> None:
        where = urllib.parse.urlsplit(nodes.serve_url)
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=120)
        body = {"model": EDITED, "messages": [{"role": "user", "content": "hello"}]}
        path = f"/{EDITED}/v1/chat/completions"
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()[:160] if answer.status != 200 else ""
        seen[f"{answer.status} Retry-After={answer.getheader('Retry-After')} {text}"] += 1

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    return seen


def to_zero(ray: str) -> None:
    """How long a model stays after its last request, with and without a delay of its own."""
    ingress = write(ray).plan.release.ray.ingress_class
    with one_node(ray) as (nodes, api):
        for delay in ({}, {"downscale_to_zero_delay_s": 60}):
            config = config_of(ray, SLEEPING)
            override_of_model(config["applications"][0])["autoscaling_config"] |= delay
            came = deploy(api, config)
            first, _ = say_hello(nodes.serve_url, SLEEPING)
            _, took, _ = api.wait(
                lambda found: bool(found) and not model_replicas(found, SLEEPING, ingress), 240
            )
            print(
                f"downscale_delay_s 15, {delay}: {came}, first request {first}, at zero after "
                f"{took:.0f} s",
                flush=True,
            )


def quick_answers(ray: str) -> None:
    """How often a model sleeps that is asked all the time and answers quickly."""
    ingress = write(ray).plan.release.ray.ingress_class
    with one_node(ray) as (nodes, api):
        nodes.faults.write_text(json.dumps({SLEEPING: {"token_seconds": 0.25}}), encoding="utf-8")
        for interval in (10, 1):
            config = config_of(ray, SLEEPING)
            override_of_model(config["applications"][0])["autoscaling_config"] |= {
                "downscale_delay_s": 30,
                "look_back_period_s": 30,
                "metrics_interval_s": interval,
            }
            came = deploy(api, config)
            say_hello(nodes.serve_url, SLEEPING)
            asleep, took = 0, []
            started = time.monotonic()
            while time.monotonic() - started < QUICK_SECONDS:
                time.sleep(4)
                asleep += not model_replicas(api.applications(), SLEEPING, ingress)
                asked = time.monotonic()
                say_hello(nodes.serve_url, SLEEPING)
                took.append(time.monotonic() - asked)
            print(
                f"metrics_interval_s {interval}: {came}, asked {len(took)} times, {asleep} of them "
                f"asleep; an answer took {statistics.median(took):.2f} s, the longest "
                f"{max(took):.1f} s",
                flush=True,
            )


def surge(ray: str) -> None:
    """An edit of a model of one replica, with and without max_surge_percent and a free GPU."""
    for gpus in (2, 1):
        with one_node(ray, gpus) as (nodes, api):
            nodes.faults.write_text(json.dumps({EDITED: {"start_seconds": 15}}), encoding="utf-8")
            for turn, extra in enumerate(({}, {"max_surge_percent": 100})):
                came = deploy(api, config_of(ray, EDITED, 2 * turn, **extra))
                with Traffic(nodes.serve_url, (EDITED,)) as traffic:
                    started = time.monotonic()
                    again = deploy(api, config_of(ray, EDITED, 2 * turn + 1, **extra))
                    took = time.monotonic() - started
                print(
                    f"{gpus} GPUs, {extra}: {came}, edit {again} after {took:.0f} s, "
                    f"{traffic.seen(EDITED)} {dict(traffic.reasons)}, longest answer "
                    f"{traffic.longest_seconds:.0f} s",
                    flush=True,
                )


def direct_streaming_from_zero(ray: str) -> None:
    """Whether a model at zero wakes behind HAProxy."""
    with one_node(ray, variables=DIRECT) as (nodes, api):
        config = config_of(ray, SLEEPING)
        config["http_options"]["port"] = int(nodes.serve_url.rpartition(":")[2])
        drop_ingress(config["applications"][0])
        print(deploy(api, config), flush=True)
        time.sleep(20)
        print(
            "replicas:",
            {name: len(each) for name, each in replicas(api.applications(), SLEEPING).items()},
        )
        started = time.monotonic()
        try:
            answer = say_hello(nodes.serve_url, SLEEPING, seconds=120)
        except OSError as error:
            answer = (0, f"{type(error).__name__}: {error}")
        print("first request:", answer, f"after {time.monotonic() - started:.0f} s", flush=True)


def direct_streaming(ray: str) -> None:
    """Requests a second and latency of one node, with and without direct streaming."""
    with (
        one_node(ray) as (plain, plain_api),
        one_node(ray, variables=DIRECT) as (direct, direct_api),
    ):
        written = config_of(ray, EDITED, max_ongoing_requests=100)
        print("without:", deploy(plain_api, written), flush=True)
        port = int(direct.serve_url.rpartition(":")[2])
        written["http_options"]["port"] = port
        print("with, config as written:", deploy(direct_api, written), flush=True)
        drop_ingress(written["applications"][0])
        print("with, no override of the ingress:", deploy(direct_api, written), flush=True)
        print("  one answer:", ask(direct.serve_url, EDITED, "models"), flush=True)
        print("  chat:", say_hello(direct.serve_url, EDITED), flush=True)
        print("  stream:", say_hello(direct.serve_url, EDITED, stream=True)[1].count("[DONE]"))
        for turn in range(3):
            for name, nodes in (("without", plain), ("with", direct)):
                for stream in (False, True):
                    rate, p50, p95, lost = load(nodes.serve_url, stream, 8, 8)
                    print(
                        f"  turn {turn} {name:8} stream={stream}: {rate:6.1f} requests/s, "
                        f"p50 {p50 * 1000:5.0f} ms, p95 {p95 * 1000:5.0f} ms, lost {lost}",
                        flush=True,
                    )


def load(url: str, stream: bool, clients: int, seconds: float) -> tuple[float, float, float, int]:
    """Requests a second, median and 95th percentile in seconds, and lost requests."""
    took: list[float] = []
    lost = 0
    end = time.monotonic() + seconds

    def client() -> None:
        nonlocal lost
        while time.monotonic() < end:
            started = time.monotonic()
            try:
                good = say_hello(url, EDITED, stream=stream)[0] == 200
            except (OSError, http.client.HTTPException):
                good = False
            took.append(time.monotonic() - started)
            lost += not good

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = statistics.quantiles(took, n=20)
    return len(took) / seconds, statistics.median(took), ordered[-1], lost


def label_selectors(ray: str) -> None:
    """Placement by labels of the groups' nodes in place of custom resources."""
    written = write(ray)
    groups = tuple(
        replace(
            group,
            start_params={
                **{key: item for key, item in group.start_params.items() if key != "resources"},
                "labels": f"{LABEL}={group.name}",
            },
        )
        for group in written.groups
    )
    config = copy.deepcopy(written.serve_config)
    pools = {model.name: model.pool for model in written.plan.models}
    for application in config["applications"]:
        ingress = application["deployments"][0]["ray_actor_options"]
        del ingress["resources"]
        ingress["label_selector"] = {LABEL: "routers"}
        deployment = application["args"]["llm_configs"][0]["deployment_config"]
        deployment["ray_actor_options"] = {"num_cpus": 1}
        selector = {LABEL: pools[application["route_prefix"].strip("/")]}
        deployment["placement_group_bundle_label_selector"] = [selector]
    facts = VLLM_FACTS / f"{written.plan.release.ray.vllm}.yaml"
    labelled = replace(written, groups=groups)
    with Nodes(environments.install(ray), labelled, facts) as nodes:
        api = ServeApi(nodes.dashboard_url)
        print(deploy(api, config), flush=True)
        print("sleeping model:", say_hello(nodes.serve_url, SLEEPING)[0], flush=True)
        cluster = nodes.run(STANDINS / "placement.py")
        details = api.applications()
        for name in pools:
            for deployment, found in replicas(details, name).items():
                print(
                    name,
                    deployment,
                    [cluster["labels"][node].get(LABEL) for node in found.values()],
                )
        for group in cluster["groups"]:
            print(group["bundles"], [cluster["labels"][node].get(LABEL) for node in group["nodes"]])


MEASUREMENTS: Final[dict[str, Callable[[str], None]]] = {
    "direct-streaming": direct_streaming,
    "direct-streaming-from-zero": direct_streaming_from_zero,
    "full-queue": full_queue,
    "label-selectors": label_selectors,
    "quick-answers": quick_answers,
    "surge": surge,
    "to-zero": to_zero,
}


def main() -> int:
    """Run the measurements of the command line."""
    parser = argparse.ArgumentParser(prog="scripts.ray_releases.measurements")
    parser.add_argument("ray")
    parser.add_argument("names", nargs="+", choices=sorted(MEASUREMENTS))
    options = parser.parse_args()
    for name in options.names:
        print(f"{name} on Ray {options.ray}", flush=True)
        MEASUREMENTS[name](options.ray)
    return 0


if __name__ == "__main__":
    sys.exit(main())
