"""What a plan says of cold starts and of the place of weights, in sentences."""

from typing import Final

from models.catalog import start_times
from reports.plan_data import ModelSummary, PlanSummary

COLD_START_NOTE: Final = (
    "Cold start: seconds from nothing to the first answer, as public logs show them and not as a "
    "promise; a zone without a free GPU takes longer. Hub, bucket, disk: until the weights are on "
    "the GPU from there; in all: with the weights from where this stack has them (docs/"
    "cold-start.md)."
)
_NAMED: Final = 4


def cold_start_sentences(plan: PlanSummary) -> tuple[str, ...]:
    """Which models a first request may wait for longer than OpenAI's clients wait."""
    client = start_times().client_timeout_seconds
    slow = [
        model["name"]
        for model in plan["models"]
        if "coldStart" in model
        and _sleeps(model)
        and ((most := model["coldStart"]["total"][1]) is None or most > client)
    ]
    if not slow:
        return ()
    more = len(slow) - _NAMED
    named = ", ".join(slow[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return (
        f"The first request after sleep may wait for more than the {client} s after which OpenAI's "
        f"clients give up and ask again: {named}. The model starts all the same.",
    )


def weights_sentences(plan: PlanSummary) -> tuple[str, ...]:
    """Where weights lie that do not come from the hub, and how they get there."""
    found = plan.get("weights")
    if found is None:
        return ()
    count = len(found["models"])
    what = f"{count} model{'' if count == 1 else 's'} ({found['bytes'] / 1e9:,.0f} GB)"
    if found["disk"] is not None:
        return (
            f"Nodes read {what} from the disk of the claim {found['disk']}, which nobody fills "
            "here.",
        )
    made = "the stack makes it" if found["creates"] else "it is there"
    return (
        f"Nodes read {what} from {found['bucket']} in {found['location']} ({made}); a Job fetches "
        "from the hub what it does not hold.",
    )


def _sleeps(model: ModelSummary) -> bool:
    return model["replicas"]["min"] == 0 or model["offHours"] is not None
