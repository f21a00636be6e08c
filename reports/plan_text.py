"""The plan as a person reads it in a preview: plain text of at most 100 columns."""

import textwrap

from models.access import Exposure
from reports.access_sentences import way_in_sentences
from reports.cold_start_sentences import (
    COLD_START_NOTE,
    cold_start_sentences,
    weights_sentences,
)
from reports.hardening_sentences import hardening_sentences
from reports.plan_data import PlanSummary
from reports.plan_tables import DERIVED_NOTE, QUOTA_NOTE, plan_tables, price_note
from reports.speed_sentences import speed_sentences
from reports.table import WIDTH, text_table
from reports.way_tables import way_sentences


def plan_text(plan: PlanSummary) -> str:
    """Heading, tables and notes, ready to print."""
    tables = [f"{text_table(table)}\n" for table in plan_tables(plan)]
    return "\n".join([*_wrapped(heading(plan)), "", *tables, *_wrapped(_notes(plan))])


def heading(plan: PlanSummary) -> tuple[str, str]:
    """The stack, its cluster, and the versions of its software."""
    versions = plan["versions"]
    return (
        f"Stack {plan['stack']}: {len(plan['models'])} models on cluster "
        f"{plan['cluster']['name']} ({plan['project']}, {plan['region']})",
        f"Ray {versions['ray']} with vLLM {versions['vllm']}, KubeRay {versions['kuberay']}",
    )


def _notes(plan: PlanSummary) -> tuple[str, ...]:
    return (
        *way_in_sentences(plan),
        *hardening_sentences(plan),
        *speed_sentences(plan),
        *weights_sentences(plan),
        *cold_start_sentences(plan),
        *plan["idleGpus"],
        DERIVED_NOTE,
        COLD_START_NOTE,
        price_note(plan["cost"]),
        *way_sentences(plan),
        QUOTA_NOTE,
        f"Endpoints are below {plan['service']['url']}{_inside(plan)}.",
    )


def _inside(plan: PlanSummary) -> str:
    access = plan.get("access")
    return "" if access and access["exposure"] == Exposure.EXTERNAL else ", inside the cluster"


def _wrapped(sentences: tuple[str, ...]) -> list[str]:
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(sentence, WIDTH, break_on_hyphens=False)
    ]
