"""What a program can rely on in the local cloud, on the real engine."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from localcloud.cloud import LocalCloud
from localcloud.testing.programs import Program, output_of
from localcloud.workspace import PLACEHOLDER_TOKEN

pytestmark = pytest.mark.engine

CLUSTER = """
    import pulumi
    import pulumi_gcp as gcp

    config = pulumi.Config()
    cluster = gcp.container.Cluster(
        "cluster", name="c", location="us-central1-a", initial_node_count=1,
        remove_default_node_pool=True, deletion_protection=False)
"""
POOL = (
    CLUSTER
    + """
    pool = gcp.container.NodePool(
        "l4", name="l4", cluster=cluster.id, initial_node_count=0,
        autoscaling={"total_min_node_count": 0, "total_max_node_count": %(maximum)s},
        node_config={"machine_type": "g2-standard-12", "spot": %(spot)s},
        opts=pulumi.ResourceOptions(ignore_changes=["initialNodeCount", "nodeCount"]))
"""
)
NAMESPACE = """
    import pulumi
    import pulumi_kubernetes as k8s

    ai = k8s.core.v1.Namespace("ai", metadata={"name": "ai"})
"""


def pool(maximum: int = 4, spot: bool = False) -> str:
    return POOL % {"maximum": maximum, "spot": spot}


def operations(cloud: LocalCloud, phase: str = "done") -> list[tuple[str, str]]:
    return [(e["operation"], e["name"]) for e in cloud.journal() if e["phase"] == phase]


def test_a_deployment_is_created_kept_and_removed(cloud: LocalCloud, program: Program) -> None:
    project = program(pool())
    up = project.pulumi("up", "--stack", "dev", "--skip-preview")
    assert up.returncode == 0, output_of(up)
    base = "projects/acme-ml/locations/us-central1-a/clusters/c"
    assert set(cloud.cloud_objects()) == {base, f"{base}/nodePools/l4"}
    again = project.pulumi("up", "--stack", "dev", "--skip-preview", "--expect-no-changes")
    assert again.returncode == 0, output_of(again)
    destroy = project.pulumi("destroy", "--stack", "dev", "--skip-preview")
    assert destroy.returncode == 0, output_of(destroy)
    assert cloud.cloud_objects() == {}
    assert operations(cloud) == [
        ("create", "cluster"),
        ("create", "l4"),
        ("delete", "l4"),
        ("delete", "cluster"),
    ]


def test_a_preview_touches_neither_cloud_nor_project(cloud: LocalCloud, program: Program) -> None:
    project = program(CLUSTER + '    pulumi.export("endpoint", cluster.endpoint)\n')
    folder = project.workspace.project
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = project.pulumi("preview", "--stack", "dev")
    assert done.returncode == 0, output_of(done)
    assert "endpoint: [unknown]" in done.stdout
    assert "warning" not in output_of(done)
    assert cloud.cloud_objects() == {}
    after = {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert after == before


def test_spot_replaces_a_named_pool_delete_first_and_maximum_updates(
    cloud: LocalCloud, program: Program
) -> None:
    assert program(pool()).pulumi("up", "--stack", "dev", "--skip-preview").returncode == 0
    up = program(pool(maximum=9)).pulumi("up", "--stack", "dev", "--skip-preview")
    assert operations(cloud)[2:] == [("update", "l4")], output_of(up)
    up = program(pool(maximum=9, spot=True)).pulumi("up", "--stack", "dev", "--skip-preview")
    assert operations(cloud)[3:] == [("delete", "l4"), ("create", "l4")], output_of(up)


def test_what_google_would_refuse_is_refused_at_preview(program: Program) -> None:
    source = pool().replace("g2-standard-12", "g2-standard-13")
    done = program(source).pulumi("preview", "--stack", "dev")
    assert done.returncode != 0
    assert "machine type g2-standard-13 does not exist" in output_of(done)


def test_a_name_that_exists_is_a_conflict(cloud: LocalCloud, program: Program) -> None:
    cloud.declare_cluster("acme-ml", "us-central1-a", "c")
    done = program(CLUSTER).pulumi("up", "--stack", "dev", "--skip-preview")
    assert done.returncode != 0
    assert "Error 409: Already exists" in output_of(done)


def test_an_existing_cluster_can_be_read_and_looked_up(cloud: LocalCloud, program: Program) -> None:
    id_ = cloud.declare_cluster("acme-ml", "us-central1-a", "theirs")
    project = program(
        """
        import pulumi
        import pulumi_gcp as gcp

        cluster = gcp.container.Cluster.get(
            "theirs", "projects/acme-ml/locations/us-central1-a/clusters/theirs")
        found = gcp.container.get_cluster(name="theirs", location="us-central1-a")
        pulumi.export("id", cluster.id)
        pulumi.export("same", cluster.endpoint.apply(lambda e: e == found.endpoint))
        """
    )
    up = project.pulumi("up", "--stack", "dev", "--skip-preview")
    assert up.returncode == 0, output_of(up)
    outputs = json.loads(project.pulumi("stack", "output", "--json", "--stack", "dev").stdout)
    assert outputs == {"id": id_, "same": True}
    assert project.pulumi("destroy", "--stack", "dev", "--skip-preview").returncode == 0
    assert set(cloud.cloud_objects()) == {id_}


def test_a_failed_create_leaves_the_rest_and_the_next_up_completes(
    cloud: LocalCloud, program: Program
) -> None:
    project = program(pool())
    rule = [{"name": "l4", "fail": "quota exceeded"}]
    up = project.pulumi("up", "--stack", "dev", "--skip-preview", faults=json.dumps(rule))
    assert up.returncode != 0
    assert "quota exceeded" in output_of(up)
    assert len(cloud.cloud_objects()) == 1
    assert project.pulumi("up", "--stack", "dev", "--skip-preview").returncode == 0
    assert len(cloud.cloud_objects()) == 2
    assert operations(cloud).count(("create", "cluster")) == 1


def test_an_engine_killed_in_a_create_leaves_no_process_and_the_truth(
    cloud: LocalCloud, program: Program
) -> None:
    project = program(pool())
    rule = [{"name": "l4", "sleep": 600, "when": "after"}]
    process = project.start("up", "--stack", "dev", "--skip-preview", faults=json.dumps(rule))
    deadline = time.monotonic() + 240
    while len(cloud.cloud_objects()) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(cloud.cloud_objects()) == 2
    deadline = time.monotonic() + 30
    while (left := _processes_of(cloud)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    # The cloud has the pool but the state does not. Google would answer 409 too.
    project.pulumi("cancel", "--stack", "dev")
    up = project.pulumi("up", "--stack", "dev", "--skip-preview")
    assert "Error 409" in output_of(up)


def _processes_of(cloud: LocalCloud) -> list[str]:
    return [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _variable(entry, "RAY_LLM_LOCALCLOUD") == str(cloud.home)
    ]


def _variable(process: Path, name: str) -> str | None:
    try:
        entries = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    found = (e.decode(errors="replace") for e in entries if e.startswith(f"{name}=".encode()))
    return next((entry.partition("=")[2] for entry in found), None)


def test_refresh_sees_what_is_gone(cloud: LocalCloud, program: Program) -> None:
    project = program(NAMESPACE)
    assert project.pulumi("up", "--stack", "dev", "--skip-preview").returncode == 0
    (cloud.home / "cloud" / "kubernetes.json").write_text("{}", encoding="utf-8")
    done = project.pulumi("refresh", "--stack", "dev", "--skip-preview")
    assert done.returncode == 0, output_of(done)
    assert "- 1 deleted" in done.stdout
    assert project.pulumi("up", "--stack", "dev", "--skip-preview").returncode == 0
    assert len(cloud.cloud_objects()) == 1


def test_a_secret_is_nowhere_in_plain_text(tmp_path: Path, program: Program) -> None:
    token = "hf_ThisTokenMustNotLeak0123456789"
    project = program(
        NAMESPACE
        + """
    token = pulumi.Config("app").require_secret("token")
    secret = k8s.core.v1.Secret("token", metadata={"namespace": "ai"},
        string_data={"token": token}, opts=pulumi.ResourceOptions(depends_on=[ai]))
    pulumi.export("data", secret.data)
    """
    )
    project.cloud.token = token
    printed = ""
    for command in ("up", "refresh", "preview", "up"):
        done = project.pulumi(command, "--stack", "dev", *(["--diff"] if command != "up" else []))
        assert done.returncode == 0, output_of(done)
        printed += output_of(done)
    assert "    unchanged" not in printed
    export = project.pulumi("stack", "export", "--stack", "dev").stdout
    encoded = "aGZfVGhpc1Rva2VuTXVzdE5vdExlYWsw"
    for text in (printed, export):
        assert token not in text
        assert encoded not in text
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert token.encode() not in content, path
            assert encoded.encode() not in content, path


def test_an_object_needs_its_namespace(program: Program) -> None:
    done = program(
        """
        import pulumi_kubernetes as k8s
        k8s.core.v1.ConfigMap("m", metadata={"name": "m", "namespace": "nowhere"}, data={"a": "b"})
        """
    ).pulumi("up", "--stack", "dev", "--skip-preview")
    assert done.returncode != 0
    assert 'namespaces "nowhere" not found' in output_of(done)


def test_an_unknown_field_of_a_builtin_object_is_refused(program: Program) -> None:
    done = program(
        NAMESPACE.replace('{"name": "ai"}', '{"name": "ai", "lables": {"a": "b"}}')
    ).pulumi("preview", "--stack", "dev")
    assert done.returncode != 0
    assert 'unknown field "metadata.lables"' in output_of(done)


def test_a_program_error_is_shown_with_the_users_own_frames(program: Program) -> None:
    done = program("def broken():\n    return 1 / 0\n\nbroken()\n").pulumi(
        "preview", "--stack", "dev"
    )
    assert done.returncode != 0
    text = output_of(done)
    assert "Program failed with an unhandled exception" in text
    assert "ZeroDivisionError" in text
    assert "localcloud/host.py" not in text


def test_a_run_error_is_one_message_without_traceback(program: Program) -> None:
    done = program('import pulumi\nraise pulumi.RunError("no such tier")\n').pulumi(
        "preview", "--stack", "dev"
    )
    assert done.returncode != 0
    assert "no such tier" in output_of(done)
    assert "Traceback" not in output_of(done)


def test_a_program_that_exits_with_an_error_code_fails(program: Program) -> None:
    done = program("import os\nos._exit(3)\n").pulumi("preview", "--stack", "dev")
    assert done.returncode != 0
    assert "non-zero exit code: 3" in output_of(done)


def test_the_token_arrives_as_a_secret_and_a_placeholder(program: Program) -> None:
    project = program(
        """
        import pulumi
        from pulumi.runtime.config import is_config_secret
        pulumi.export("is_secret", is_config_secret("app:token"))
        pulumi.export("token", pulumi.Config("app").require_secret("token"))
        """
    )
    assert project.pulumi("up", "--stack", "dev", "--skip-preview").returncode == 0
    shown = project.pulumi("stack", "output", "--json", "--show-secrets", "--stack", "dev").stdout
    assert json.loads(shown) == {"is_secret": True, "token": PLACEHOLDER_TOKEN}


def test_about_and_other_commands_pass_through(program: Program) -> None:
    project = program(NAMESPACE)
    about = project.pulumi("about", "--stack", "dev")
    assert about.returncode == 0, output_of(about)
    assert "pulumi_kubernetes" in about.stdout or "pulumi-kubernetes" in about.stdout
    assert "Failed" not in output_of(about)
