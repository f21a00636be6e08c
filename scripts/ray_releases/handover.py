"""Replaces edited models as `up` does, without Kubernetes: components/model_handover.py."""

from typing import Final

from rollouts import ServeConfig, handed_over, is_last, next_wave
from scripts.ray_releases.serve_api import Details, ServeApi, model_replicas, statuses
from scripts.ray_releases.stack import Written

RUNNING_SECONDS: Final = 400


def hand_over(api: ServeApi, old: Written, new: Written) -> bool:
    """Whether the models of `new` run in the end, and nothing of `old` that they replace.

    Raises RuntimeError if Ray refuses a config.
    """
    live: ServeConfig = old.serve_config
    wanted = new.serve_config
    ingress = new.plan.release.ray.ingress_class
    while True:
        details = api.applications()
        running = {
            item["name"]: len(model_replicas(details, item["route_prefix"].strip("/"), ingress))
            for item in live["applications"]
        }
        wave = next_wave(live, wanted, running, new.pool_gpus)
        if wave is None:
            return _deployed(api, wanted)
        if not _deployed(api, wave.config):
            return False
        if is_last(wave, wanted):
            return _deployed(api, wanted)
        live = handed_over(wave.config, wanted, wave.models)
        if not _deployed(api, live):
            return False


def _deployed(api: ServeApi, config: ServeConfig) -> bool:
    """Whether exactly the applications of a config run, once it is deployed."""
    status, answer = api.deploy(config)
    if status != 200:
        raise RuntimeError(f"PUT is answered {status}: {answer[-300:]}")
    names = {item["name"] for item in config["applications"]}

    def settled(details: Details) -> bool:
        return details.keys() == names and set(statuses(details).values()) == {"RUNNING"}

    reached, _, _ = api.wait(settled, RUNNING_SECONDS)
    return reached
