"""CRDs on their way to a cluster: what a change is called, and which way leads there.

What the API server does with them is tested on the real one (tests/cluster/test_kuberay_crds.py).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from components import custom_resource_definitions as definitions
from components.cluster_access import AccessOfProvider, ClusterAccess
from components.custom_resource_definitions import Definitions
from components.definition_files import DefinitionError
from components.kubernetes_client import UnreachableError
from tests.components.programs import Record

NAME = "rayservices.ray.io"


def crd(*fields: str, **annotations: str) -> dict[str, Any]:
    spec = {"properties": {field: {"type": "string"} for field in fields}}
    schema = {"openAPIV3Schema": {"properties": {"spec": spec}}}
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "annotations": annotations},
        "spec": {"versions": [{"name": "v1", "schema": schema}]},
    }


def difference(
    live: dict[str, Any] | None, wanted: dict[str, Any], before: str | None = None
) -> definitions.Difference:
    return definitions._difference(live, wanted, "1.6.2", before)


def test_what_changes_is_said_in_fields() -> None:
    assert difference(None, crd("a")).sentence() == f"{NAME}: new, of KubeRay 1.6.2"
    assert difference(crd("a"), crd("a")).sentence() == f"{NAME}: as in KubeRay 1.6.2 already"
    assert difference(crd("a", "gone"), crd("a", "b", "c", "d", "e")).sentence() == (
        f"{NAME}: becomes that of KubeRay 1.6.2, 4 fields more (spec.b, spec.c, spec.d, ...) and "
        "1 field fewer (spec.gone)"
    )


def test_a_newer_crd_is_known_by_its_mark_or_by_its_fields() -> None:
    marked = crd("a", **{definitions.VERSION_ANNOTATION: "1.7.0"})
    with pytest.raises(DefinitionError, match=r"is of KubeRay 1\.7\.0.*kuberay: 1\.7\.0"):
        difference(marked, crd("a"))
    with pytest.raises(DefinitionError, match=r"is of a newer KubeRay.*\(spec\.suspend\)"):
        difference(crd("a", "suspend"), crd("a"))


def test_a_downgrade_of_ones_own_is_no_refusal() -> None:
    marked = crd("a", "suspend", **{definitions.VERSION_ANNOTATION: "1.7.0"})
    found = difference(marked, crd("a"), before="1.7.0")
    assert (found.downgrade_from, found.removed) == ("1.7.0", ("spec.suspend",))


def test_an_older_crd_of_any_owner_is_upgraded() -> None:
    marked = crd("a", **{definitions.VERSION_ANNOTATION: "1.5.2"})
    assert difference(marked, crd("a", "b")).downgrade_from is None
    assert difference(crd("a"), crd("a", "b")).added == ("spec.b",)


def test_sets_of_fields_are_united() -> None:
    one = {"f:spec": {"f:a": {}, "f:b": {"f:c": {}}}}
    other = {"f:spec": {"f:b": {"f:d": {}}}, "f:metadata": {}}
    assert definitions._united(one, other) == {
        "f:spec": {"f:a": {}, "f:b": {"f:c": {}, "f:d": {}}},
        "f:metadata": {},
    }


def _kubeconfig(server: str, user: dict[str, str]) -> str:
    return json.dumps(
        {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", **user}}],
        }
    )


@pytest.mark.parametrize(
    ("kubeconfig", "context", "reason"),
    [
        ("/nowhere/kubeconfig", None, "No such file"),
        ("a: [\n", None, "while parsing"),
        ("- a\n- b\n", None, "not a kubeconfig"),
        ("{}", None, "clusters"),
        ('{"clusters": [], "contexts": []}', "theirs", "Context 'theirs' not found"),
        (_kubeconfig("https://[::a", {"user": "u"}), "c", "Invalid port"),
        (_kubeconfig("https://a.example", {}), "c", "Missing user"),
    ],
)
def test_a_kubeconfig_that_leads_nowhere_is_one_sentence(
    kubeconfig: str, context: str | None, reason: str
) -> None:
    with pytest.raises(UnreachableError, match="the kubeconfig does not lead to the") as error:
        Definitions(ClusterAccess(kubeconfig=kubeconfig, context=context))
    assert reason in str(error.value)


def test_the_callers_own_kubeconfig_is_the_first_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_text("clusters: []\n")
    monkeypatch.setenv("KUBECONFIG", f"{file}:/elsewhere")
    assert ClusterAccess().content() == ({"clusters": []}, file)


def test_the_access_is_that_of_the_provider(record: Record) -> None:
    import pulumi_kubernetes as kubernetes

    async def known() -> ClusterAccess | None:
        provider = kubernetes.Provider("theirs", kubeconfig="k", context="c")
        return await AccessOfProvider.of(provider).known()

    import pulumi

    recording = record(lambda: pulumi.Output.from_input(known()))
    assert recording.result == ClusterAccess(kubeconfig="k", context="c")
