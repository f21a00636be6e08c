"""The plan as Markdown, for the pull request that changes a stack."""

from reports.plan_data import PlanSummary
from reports.plan_tables import (
    DERIVED_NOTE,
    QUOTA_NOTE,
    models_table,
    plan_tables,
    pools_table,
    price_note,
    quota_table,
)
from reports.table import escape, markdown_table


def plan_markdown(plan: PlanSummary, brief: bool = False) -> str:
    """Heading, tables, warnings and notes. brief: without the tables of memory and cost."""
    versions = plan["versions"]
    tables = (
        (models_table(plan), pools_table(plan), quota_table(plan)) if brief else plan_tables(plan)
    )
    parts = [
        f"### Stack {plan['stack']}",
        f"{len(plan['models'])} models on cluster `{plan['cluster']['name']}` "
        f"({plan['project']}, {plan['region']}); Ray {versions['ray']} with vLLM "
        f"{versions['vllm']}, KubeRay {versions['kuberay']}",
        *map(markdown_table, tables),
    ]
    found = [*plan["idleGpus"], *(f"Warning: {text}" for text in plan["warnings"])]
    if found:
        parts.append("\n".join(f"- {escape(sentence)}" for sentence in found))
    notes = (DERIVED_NOTE.replace("*", "\\*"), price_note(plan["cost"]), QUOTA_NOTE)
    parts.append(f"<sub>{' '.join(map(escape, notes))}</sub>")
    return "\n\n".join(parts) + "\n"
