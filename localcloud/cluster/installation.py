"""What a cluster is made of: programs built by Go, and the Ray environment."""
from pathlib import Path
from localcloud.cluster.cluster import Installation
def installed(home: Path) -> Installation:
    """temporary"""
    K=Path("/root/go/pkg/mod")
    return Installation(binaries=Path("/tmp/cl/bin"),crds=K/"github.com/ray-project/kuberay/ray-operator@v1.6.2/config/crd/bases",stages=K/"sigs.k8s.io/kwok@v0.8.0/kustomize/stage",ray=Path("/tmp/cl/rayenv"),vllm_arguments=Path("/work/main/models/catalog/vllm/0.10.0.yaml"))
def install(home): return installed(home)
