"""The files of CRDs: what fits is not parsed before a cluster is there, what does not is named."""

from pathlib import Path

import pytest
import yaml

from components.definition_files import DefinitionError, check_definition, read_definition

NAME = "rayjobs.ray.io"
FITS = """---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    controller-gen.kubebuilder.io/version: v0.16.5
  name: rayjobs.ray.io
spec:
  group: ray.io
"""


def written(folder: Path, text: str) -> str:
    file = folder / "ray.io_rayjobs.yaml"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize(
    "text", [FITS, FITS.removeprefix("---\n"), FITS.replace("apiVersion", "# by hand\napiVersion")]
)
def test_a_crd_in_any_form_fits(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    check_definition(NAME, file, "1.6.2")
    assert read_definition(NAME, file, "1.6.2")["metadata"]["name"] == NAME


def test_what_a_generator_wrote_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, FITS)
    monkeypatch.delattr(yaml, "load")
    check_definition(NAME, file, "1.6.2")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (FITS.replace("rayjobs", "rayclusters"), "holds the CRD rayclusters.ray.io instead of"),
        (FITS.replace("CustomResourceDefinition", "ConfigMap"), "holds a ConfigMap instead of"),
        (FITS.replace("  name: ", "  title: "), "holds the CRD None instead of"),
        (FITS.replace("spec:\n  group: ray.io\n", ""), "instead of"),
        ("<html>sign in</html>\n", "something that is no Kubernetes object"),
        (f"{FITS}  names: {{kind: Ra", "holds no YAML"),
    ],
)
def test_what_does_not_fit_is_named_as_when_it_is_read(
    tmp_path: Path, text: str, reason: str
) -> None:
    file = written(tmp_path, text)
    said = []
    for look in (check_definition, read_definition):
        with pytest.raises(DefinitionError, match=reason) as caught:
            look(NAME, file, "1.6.2")
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert said[0].endswith("the folder with the CRDs of KubeRay 1.6.2.")
