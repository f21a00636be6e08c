"""How gcloud names the context of a GKE cluster in a kubeconfig."""


def gke_context(project: str, location: str, cluster: str) -> str:
    """gcloud's name for a cluster's context; it identifies the cluster for the provider as well."""
    return f"gke_{project}_{location}_{cluster}"
