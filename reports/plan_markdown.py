"""The plan as Markdown, for the pull request that changes a stack."""

from reports.access_sentences import way_in_sentences
from reports.cold_start_sentences import (
    COLD_START_NOTE,
    cold_start_sentences,
    weights_sentences,
)
from reports.hardening_sentences import hardening_sentences
from reports.plan_data import PlanSummary
from reports.plan_tables import (
    DERIVED_NOTE,
    QUOTA_NOTE,
    models_table,
    off_hours_tables,
    plan_tables,
    pools_table,
    price_note,
    quota_table,
)
from reports.speed_sentences import speed_sentences
from reports.table import code, escape, markdown_table
from reports.way_tables import way_sentences, ways_tables


def plan_markdown(plan: PlanSummary, brief: bool = False) -> str:
    """Heading, tables, warnings and notes. brief: without the tables of memory and cost."""
    versions = plan["versions"]
    tables = (
        (
            models_table(plan),
            pools_table(plan),
            *ways_tables(plan),
            *off_hours_tables(plan),
            quota_table(plan),
        )
        if brief
        else plan_tables(plan)
    )
    parts = [
        f"### Stack {escape(plan['stack'])}",
        f"{len(plan['models'])} models on cluster {code(plan['cluster']['name'])} "
        f"({escape(plan['project'])}, {escape(plan['region'])}); Ray {escape(versions['ray'])} "
        f"with vLLM {escape(versions['vllm'])}, KubeRay {escape(versions['kuberay'])}",
        *map(markdown_table, tables),
    ]
    found = [
        *way_in_sentences(plan),
        *hardening_sentences(plan),
        *speed_sentences(plan, with_table=not brief),
        *weights_sentences(plan),
        *cold_start_sentences(plan),
        *plan["idleGpus"],
        *(f"Warning: {text}" for text in plan["warnings"]),
    ]
    if found:
        parts.append("\n".join(f"- {escape(sentence)}" for sentence in found))
    notes = (
        DERIVED_NOTE,
        *(() if brief else (COLD_START_NOTE,)),
        price_note(plan["cost"]),
        *way_sentences(plan),
        QUOTA_NOTE,
    )
    parts.append(f"<sub>{' '.join(map(escape, notes))}</sub>")
    return "\n\n".join(parts) + "\n"
