"""KubeRay's CRDs on the real engine: hooks apply them, the state has their names and versions."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from components.kuberay_crds import CRD_SOURCE, crd_location
from localcloud.cloud import LocalCloud
from localcloud.providers.kubernetes.crds import text_at
from tests.engine.deployments import EARLIER_LAYOUT, TOKEN, Change, Deployment, shipped_config

pytestmark = pytest.mark.engine
CRD = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
RECORD = "pulumi:index:Stash"
PLURALS = ("rayclusters", "raycronjobs", "rayjobs", "rayservices")
VERSION = "ray-llm/kuberay-version"
THEIRS = {
    "name": "theirs",
    "existing": True,
    "location": "us-central1",
    "zones": ["us-central1-a"],
}


def _on_their_cluster(folder: Path, **config: Any) -> Deployment:
    """The dev stack on a cluster of somebody else, which stays after a destroy."""
    stack = shipped_config("dev")
    stack["ray-llm:cluster"] = THEIRS
    cloud = LocalCloud(folder / "cloud", token=TOKEN)
    cloud.declare_cluster(stack["gcp:project"], "us-central1", "theirs")
    return Deployment(folder, "dev", {**stack, **config}, cloud)


def _crds(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The metadata of the CRDs in the cluster, by plural name."""
    return {
        key.rsplit("|", 1)[1].removesuffix(".ray.io"): entry["object"]["metadata"]
        for key, entry in deployment.cloud.cloud_objects().items()
        if "|CustomResourceDefinition|" in key
    }


def _calls(deployment: Deployment, operation: str, type_: str) -> list[str]:
    return [
        entry["name"]
        for entry in deployment.cloud.journal()
        if (entry["operation"], entry["type"], entry["phase"]) == (operation, type_, "done")
    ]


def test_an_update_that_changes_nothing_carries_no_crd(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "dev", shipped_config("dev"))
    deployment.must_up()
    assert sorted(_calls(deployment, "create", CRD)) == [f"{p}.ray.io" for p in PLURALS]
    before = len(deployment.cloud.journal())
    deployment.must_up()
    assert len(deployment.cloud.journal()) == before
    sizes = {res["urn"]: len(json.dumps(res)) for res in deployment.state()}
    # Either CRD is over 300,000 as text; the next largest is the smoke test's script.
    assert max(sizes.values()) < 200_000, max(sizes, key=lambda urn: sizes[urn])
    # A CRD that somebody deleted comes back only if the records are replaced.
    again = deployment.pulumi("up", "--skip-preview", "--replace", "**kuberay-crd-**")
    assert again.returncode == 0, again.stdout + again.stderr
    assert sorted(_calls(deployment, "update", CRD)) == [f"{p}.ray.io" for p in PLURALS]


def test_crds_outlive_the_stack_unless_it_says_otherwise(tmp_path: Path) -> None:
    deployment = _on_their_cluster(tmp_path)
    before = deployment.existing()
    deployment.must_up()
    destroyed = deployment.pulumi("destroy", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert {key.rsplit("|", 1)[1] for key in deployment.existing() - before} == {
        f"{plural}.ray.io" for plural in PLURALS
    }
    # The next stack finds them, and takes them with it when it goes.
    config = shipped_config("dev") | {
        "ray-llm:cluster": THEIRS,
        "ray-llm:kubeRay": {"keepCrds": False},
    }
    deployment.write(config)
    deployment.must_up()
    assert {metadata["ownerReferences"][0]["name"] for metadata in _crds(deployment).values()} == {
        "kuberay-system"
    }
    # Kept again, they have no owner any more.
    deployment.write({**config, "ray-llm:kubeRay": {"keepCrds": True}})
    deployment.must_up()
    assert not any("ownerReferences" in metadata for metadata in _crds(deployment).values())
    deployment.write(config)
    deployment.must_up()
    destroyed = deployment.pulumi("destroy", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert deployment.existing() == before


@pytest.mark.parametrize("install", ["existing", "gke-addon"])
def test_a_stack_that_lets_go_of_its_operator_deletes_no_crd(install: str, tmp_path: Path) -> None:
    """Its namespace goes, and it owned the CRDs."""
    deployment = _on_their_cluster(tmp_path, **{"ray-llm:kubeRay": {"keepCrds": False}})
    deployment.must_up()
    config = {**shipped_config("dev"), "ray-llm:cluster": THEIRS}
    theirs = {"ray-llm:kubeRay": {"install": install}, "ray-llm:versions": {"kuberay": "1.6.2"}}
    deployment.write({**config, **theirs})
    preview = deployment.preview()
    assert "rayservices.ray.io stays in the cluster as KubeRay 1.6.2 left it" in preview.stdout
    deployment.must_up()
    assert set(_crds(deployment)) == set(PLURALS)
    assert not any(metadata.get("ownerReferences") for metadata in _crds(deployment).values())
    assert _calls(deployment, "delete", "kubernetes:ray.io/v1:RayService") == []
    # And back: the operator's namespace is another one, and owns them anew.
    deployment.write({**config, "ray-llm:kubeRay": {"keepCrds": False}})
    preview = deployment.preview()
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "rayjobs.ray.io goes with the namespace kuberay-system from now on" in preview.stdout
    deployment.must_up()
    assert all(metadata["ownerReferences"] for metadata in _crds(deployment).values())


def test_a_new_kuberay_version_upgrades_its_crds_with_the_operator(tmp_path: Path) -> None:
    config = shipped_config("dev")
    config["ray-llm:versions"] = {"kuberay": "1.4.2"}
    deployment = Deployment(tmp_path, "dev", config)
    deployment.must_up()
    assert set(_crds(deployment)) == set(PLURALS) - {"raycronjobs"}
    del config["ray-llm:versions"]
    deployment.write(config)
    preview = deployment.preview()
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert (
        "rayservices.ray.io: becomes that of KubeRay 1.6.2, 124 fields more (spec.managedBy, "
        in preview.stdout
    )
    assert "raycronjobs.ray.io: new, of KubeRay 1.6.2" in preview.stdout
    changes = deployment.changes()
    assert Change("update", RECORD, "kuberay-crd-rayservices") in changes
    assert Change("update", "kubernetes:helm.sh/v3:Release", "kuberay-operator") in changes
    names = {change.name for change in changes if change.type == "kubernetes:batch/v1:Job"}
    assert names == {"llm-smoke-test"}
    assert {metadata["annotations"][VERSION] for metadata in _crds(deployment).values()} == {
        "1.4.2"
    }
    deployment.must_up()
    assert deployment.changes() == set()
    assert {metadata["annotations"][VERSION] for metadata in _crds(deployment).values()} == {
        "1.6.2"
    }


def test_a_downgrade_is_said_and_deletes_no_crd(tmp_path: Path) -> None:
    config = shipped_config("dev")
    deployment = Deployment(tmp_path, "dev", config)
    deployment.must_up()
    deployment.write({**config, "ray-llm:versions": {"kuberay": "1.4.2"}})
    preview = deployment.preview()
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "124 fields fewer" in preview.stdout
    assert "a downgrade from 1.6.2" in preview.stdout
    assert "raycronjobs.ray.io stays in the cluster as KubeRay 1.6.2 left it" in preview.stdout
    deployment.must_up()
    assert set(_crds(deployment)) == set(PLURALS)
    assert deployment.changes() == set()


def test_the_crds_of_a_newer_kuberay_are_left_alone(tmp_path: Path) -> None:
    deployment = _on_their_cluster(tmp_path)
    deployment.must_up()
    destroyed = deployment.pulumi("destroy", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    older = _on_their_cluster(tmp_path / "older", **{"ray-llm:versions": {"kuberay": "1.4.2"}})
    older.cloud = deployment.cloud
    for done in (older.preview(), older.up()):
        assert done.returncode != 0
        text = done.stdout + done.stderr
        assert "the cluster's CRD rayservices.ray.io is of KubeRay 1.6.2" in text
        assert "Write versions: {kuberay: 1.6.2}, or kubeRay: {install: existing}" in text
        assert "Traceback" not in text
    assert {metadata["annotations"][VERSION] for metadata in _crds(deployment).values()} == {
        "1.6.2"
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (
            "<html>\n<title>Sign in</title>\n",
            "holds something that is no Kubernetes object instead of the CRD rayservices.ray.io",
        ),
        ("a: [", "holds no YAML"),
        ("kind: Deployment\n", "holds a Deployment instead of the CRD rayservices.ray.io"),
        (
            "kind: CustomResourceDefinition\nmetadata: {name: rayjobs.ray.io}\nspec: {}\n",
            "holds the CRD rayjobs.ray.io instead of rayservices.ray.io",
        ),
    ],
)
def test_a_source_that_holds_something_else_stops_the_preview(
    content: str | None, reason: str, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    # The others are right: the engine may end before it prints a second error.
    for plural in ("rayclusters", "raycronjobs", "rayjobs"):
        other = f"kind: CustomResourceDefinition\nmetadata: {{name: {plural}.ray.io}}\nspec: {{}}\n"
        (mirror / f"ray.io_{plural}.yaml").write_text(other, encoding="utf-8")
    if content is not None:
        (mirror / "ray.io_rayservices.yaml").write_text(content, encoding="utf-8")
    config = {**shipped_config("dev"), "ray-llm:kubeRay": {"crdSource": str(mirror)}}
    deployment = Deployment(tmp_path, "dev", config)
    preview = deployment.preview()
    assert preview.returncode != 0
    assert f"{mirror / 'ray.io_rayservices.yaml'} {reason}. Check kubeRay.crdSource" in (
        preview.stdout + preview.stderr
    )
    assert "Traceback" not in preview.stdout + preview.stderr


def test_crds_come_from_a_folder_without_any_network(tmp_path: Path) -> None:
    folder = tmp_path / "mirror" / "1.6.2"
    folder.mkdir(parents=True)
    cache = LocalCloud(tmp_path / "cloud").engine_cache / "cache"
    for plural in PLURALS:
        text = text_at(crd_location(f"{plural}.ray.io", CRD_SOURCE, "1.6.2"), cache)
        marked = text.replace(b"controller-gen.kubebuilder.io/version", b"mirror.example/version")
        (folder / f"ray.io_{plural}.yaml").write_bytes(marked)
    source = str(tmp_path / "mirror" / "{version}")
    config = {**shipped_config("dev"), "ray-llm:kubeRay": {"crdSource": source}}
    deployment = Deployment(tmp_path, "dev", config)
    deployment.must_up()
    assert all(
        "mirror.example/version" in metadata["annotations"]
        for metadata in _crds(deployment).values()
    )


def _earlier(folder: Path) -> Deployment:
    deployment = _on_their_cluster(folder)
    deployment.run_program(EARLIER_LAYOUT)
    deployment.must_up()
    return deployment


def test_crds_that_were_resources_move_to_records(tmp_path: Path) -> None:
    deployment = _earlier(tmp_path)
    assert sorted(_calls(deployment, "create", CRD)) == [
        f"kuberay-crds:{p}.ray.io" for p in PLURALS
    ]
    deployment.run_program(Path(__file__).parents[2])
    assert deployment.changes() == {
        Change("delete", "kubernetes:yaml/v2:ConfigGroup", "kuberay-crds"),
        Change("create", RECORD, "kuberay-record"),
        *(Change("update", RECORD, f"kuberay-crd-{plural}") for plural in PLURALS),
    }
    deployment.must_up()
    assert _calls(deployment, "delete", CRD) == []
    assert set(_crds(deployment)) == set(PLURALS)
    assert deployment.changes() == set()


def test_crds_that_were_resources_stay_with_an_operator_of_somebody_else(tmp_path: Path) -> None:
    deployment = _earlier(tmp_path)
    deployment.run_program(Path(__file__).parents[2])
    config = {**shipped_config("dev"), "ray-llm:cluster": THEIRS}
    theirs = {"ray-llm:kubeRay": {"install": "existing"}, "ray-llm:versions": {"kuberay": "1.6.2"}}
    deployment.write({**config, **theirs})
    deployment.must_up()
    assert _calls(deployment, "delete", CRD) == []
    assert set(_crds(deployment)) == set(PLURALS)
    assert deployment.changes() == set()


def test_a_move_that_is_killed_goes_on_with_the_next_up(tmp_path: Path) -> None:
    deployment = _earlier(tmp_path)
    deployment.run_program(Path(__file__).parents[2])
    process = deployment.project.start("up", "--skip-preview", "--stack", "dev")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not _calls(deployment, "update", CRD):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert _calls(deployment, "update", CRD)
    assert deployment.pulumi("cancel").returncode == 0
    deployment.must_up()
    assert _calls(deployment, "delete", CRD) == []
    assert deployment.changes() == set()
