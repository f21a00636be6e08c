"""The command lines of the control plane and the files that they need.

One etcd, one API server, the controllers, the scheduler, kwok and the KubeRay
operator, each unchanged from upstream, all on 127.0.0.1. The files are the
certificates, the only token and the kubeconfig. This module starts nothing.
"""

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from localcloud.cluster.images import ENVOY_IMAGE
from localcloud.cluster.kubernetes_api import Credentials
from localcloud.cluster.ports import free_port

# Controllers that need a cloud, a kubelet's volumes or separate certificates,
# or that nothing in this project uses.
DISABLED_CONTROLLERS = (
    "node-ipam-controller",
    "service-lb-controller",
    "node-route-controller",
    "cloud-node-lifecycle-controller",
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-cleaner-controller",
    "bootstrap-signer-controller",
    "token-cleaner-controller",
    "persistentvolume-attach-detach-controller",
    "persistentvolume-expander-controller",
    "ephemeral-volume-controller",
    "ttl-controller",
    "horizontal-pod-autoscaler-controller",
    "clusterrole-aggregation-controller",
    "validatingadmissionpolicy-status-controller",
    "selinux-warning-controller",
)

# Pods with one of these labels run as processes on this machine, and so do those with Envoy's
# image. kwok only pretends that the others run.
REAL_POD_LABELS = ("ray.io/is-ray-node", "batch.kubernetes.io/job-name")


@dataclass(frozen=True)
class ControlPlane:
    """Ports, files and command lines of one local cluster."""

    binaries: Path
    folder: Path
    etcd_port: int
    etcd_peer_port: int
    api_port: int
    controllers_port: int
    scheduler_port: int
    kwok_port: int
    kuberay_port: int
    token: str

    @classmethod
    def create(cls, binaries: Path, folder: Path) -> "ControlPlane":
        """Choose free ports and write the files; only the owner can read the secret ones."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        plane = cls(
            binaries=binaries,
            folder=folder,
            etcd_port=free_port(),
            etcd_peer_port=free_port(),
            api_port=free_port(),
            controllers_port=free_port(),
            scheduler_port=free_port(),
            kwok_port=free_port(),
            kuberay_port=free_port(),
            token=secrets.token_hex(24),
        )
        key = ec.generate_private_key(ec.SECP256R1())
        plane._write(
            "service-accounts.key",
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ).decode(),
        )
        plane._write(
            "service-accounts.pub",
            key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode(),
        )
        plane._write("tokens.csv", f"{plane.token},local-admin,local-admin,system:masters\n")
        return plane

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    @property
    def credentials(self) -> Credentials:
        """The credentials with which the supervisor reaches the API server."""
        return Credentials(
            f"https://127.0.0.1:{self.api_port}", self.token, self.folder / "certs/apiserver.crt"
        )

    @property
    def etcd_data(self) -> Path:
        """etcd's data folder; etcd_data.py makes its initial content."""
        return self.folder / "etcd"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster's administrator."""
        return self.folder / "kubeconfig"

    @property
    def authority(self) -> Path:
        """The certificate authority of the cluster's endpoint and of the fake GitHub."""
        return self.folder / "authority.pem"

    @property
    def endpoint(self) -> Path:
        """The file with the address and certificate for stacks; see gke_endpoint.py."""
        return self.folder / "endpoint.json"

    @property
    def exec_credential(self) -> Path:
        """The file that gke-gcloud-auth-plugin prints, with the administrator's token."""
        return self.folder / "exec-credential.json"

    def write_kubeconfig(self) -> Path:
        """Write the kubeconfig; the API server must have made its certificate before."""
        name = "ray-llm-local"
        authority = base64.b64encode(self.credentials.ca_file.read_bytes()).decode()
        cluster = {"server": self.credentials.url, "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
        return self._write("kubeconfig", yaml.safe_dump(config, sort_keys=False))

    def etcd(self) -> list[str | Path]:
        """etcd, without fsync, because nothing here has to survive a power failure."""
        client, peer = (
            f"http://127.0.0.1:{port}" for port in (self.etcd_port, self.etcd_peer_port)
        )
        return [
            self.binaries / "etcd",
            f"--data-dir={self.etcd_data}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
        ]

    def api_server(self, egress_selection: Path | None = None) -> list[str | Path]:
        """The API server, with RBAC and the admission plugin that GKE enables for GPUs.

        egress_selection: the file with its way to pods, if it is to have one.
        """
        egress = [f"--egress-selector-config-file={egress_selection}"] if egress_selection else []
        return [
            self.binaries / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--cert-dir={self.folder / 'certs'}",
            f"--secure-port={self.api_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--allow-privileged",
            "--authorization-mode=RBAC",
            # As on GKE, pods that request an extended resource get its toleration.
            "--enable-admission-plugins=ExtendedResourceToleration",
            f"--service-account-issuer=https://127.0.0.1:{self.api_port}",
            f"--service-account-key-file={self.folder / 'service-accounts.pub'}",
            f"--service-account-signing-key-file={self.folder / 'service-accounts.key'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--watch-cache-sizes=",
            "--profiling=false",
            *egress,
        ]

    def controllers(self) -> list[str | Path]:
        """The controller manager."""
        names = "*," + ",".join(f"-{name}" for name in DISABLED_CONTROLLERS)
        return [
            self.binaries / "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            "--authentication-skip-lookup",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.controllers_port}",
            "--leader-elect=false",
            f"--service-account-private-key-file={self.folder / 'service-accounts.key'}",
            f"--root-ca-file={self.credentials.ca_file}",
            f"--controllers={names}",
        ]

    def scheduler(self) -> list[str | Path]:
        """The scheduler, which chooses the node of every pod."""
        return [
            self.binaries / "kube-scheduler",
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            "--authentication-skip-lookup",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.scheduler_port}",
            "--leader-elect=false",
        ]

    def kwok(self, stages: Path) -> list[str | Path]:
        """kwok, for the heartbeats of all nodes and the status of pods that are not really run."""
        return [
            self.binaries / "kwok",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=true",
            "--cidr=10.244.0.0/16",
            "--node-ip=10.244.255.1",
            f"--server-address=127.0.0.1:{self.kwok_port}",
            "--node-lease-duration-seconds=40",
            "-c",
            stages,
        ]

    def kuberay(self) -> list[str | Path]:
        """The KubeRay operator."""
        return [
            self.binaries / "ray-operator",
            "--kubeconfig",
            self.kubeconfig,
            "--enable-leader-election=false",
            "--metrics-addr=127.0.0.1:0",
            f"--health-probe-bind-address=127.0.0.1:{self.kuberay_port}",
        ]


def write_stages(source: Path, target: Path) -> Path:
    """Write kwok's stages, except for the pods that the kubelet here really runs.

    `source` is the folder of kwok's stages in its Go module.
    """
    envoy = f'.spec.containers[].image | select(test("{ENVOY_IMAGE}"))'
    real = [
        {"key": key, "operator": "DoesNotExist"}
        for key in (*(f'.metadata.labels["{label}"]' for label in REAL_POD_LABELS), envoy)
    ]
    documents = []
    for name in ("node/fast", "node/heartbeat", "pod/fast"):
        for path in sorted((source / name).glob("*.yaml")):
            stage = yaml.safe_load(path.read_text())
            if stage["kind"] != "Stage":
                continue
            if stage["spec"]["resourceRef"]["kind"] == "Pod":
                stage["spec"]["selector"]["matchExpressions"] += real
            documents.append(stage)
    target.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return target
