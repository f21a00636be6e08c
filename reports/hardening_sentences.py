"""What closes a stack beyond its defaults, one sentence each."""

from reports.plan_data import PlanSummary


def hardening_sentences(plan: PlanSummary) -> tuple[str, ...]:
    """Nodes, their account, the Pod Security Standard, and where the head keeps what it knows."""
    found = plan.get("hardening", {})
    said = []
    if found.get("privateNodes"):
        way = "Cloud NAT of this stack" if found.get("cloudNat") else "the network's own Cloud NAT"
        said.append(
            f"Nodes have no address of the internet; they fetch images and weights through {way}."
        )
    if account := found.get("nodeServiceAccount"):
        said.append(f"Nodes run as the service account {account}.")
    if standard := found.get("podSecurity"):
        said.append(f"The namespace enforces the Pod Security Standard {standard}.")
    if redis := found.get("headRecovery"):
        said.append(f"A new Ray head goes on with what the lost one kept in Redis at {redis}.")
    return tuple(said)
