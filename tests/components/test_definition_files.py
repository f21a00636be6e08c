"""The files of CRDs: what fits is not parsed before a cluster is there, what does not is named."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import definition_files
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


@pytest.fixture
def mirror() -> Iterator[str]:
    """A server with one CRD at /crd.yaml; everything else is an error."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/crd.yaml"
            self.send_response(200 if found else 503)
            self.end_headers()
            self.wfile.write(FITS.encode() if found else b"<html>")

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_crd_is_read_from_a_mirror(mirror: str) -> None:
    assert read_definition(NAME, f"{mirror}/crd.yaml", "1.6.2")["metadata"]["name"] == NAME


@pytest.mark.parametrize("path", ["other.yaml", ""])
def test_a_mirror_that_answers_with_an_error_is_named(mirror: str, path: str) -> None:
    with pytest.raises(DefinitionError, match=r"answers 503 Service Unavailable\. Check kubeRay"):
        read_definition(NAME, f"{mirror}/{path}", "1.6.2")


def test_a_mirror_that_cannot_be_reached_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"http://127\.0\.0\.1:1/x\.yaml cannot be reached"):
        read_definition(NAME, "http://127.0.0.1:1/x.yaml", "1.6.2")


def test_an_endless_answer_is_cut(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definition_files, "_LARGEST_BYTES", 10)
    with pytest.raises(DefinitionError, match="is longer than"):
        read_definition(NAME, f"{mirror}/crd.yaml", "1.6.2")


def test_a_token_in_a_source_is_not_shown() -> None:
    token = "hf_" + "a" * 34
    with pytest.raises(DefinitionError) as error:
        read_definition(NAME, f"http://127.0.0.1:1/{token}/x.yaml", "1.6.2")
    assert token not in str(error.value)


@pytest.mark.parametrize(
    "location",
    ["https://mirror.example/a b", "https://mirror.example:port/x", "https://[::1/x", "a\0b"],
)
def test_a_location_that_is_none_is_named(location: str) -> None:
    with pytest.raises(DefinitionError, match=r"cannot be read: .*Check kubeRay\.crdSource"):
        read_definition(NAME, location, "1.6.2")


def test_a_path_is_shown_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DefinitionError, match=f"{tmp_path}/crds/x.yaml cannot be read"):
        read_definition(NAME, "crds/x.yaml", "1.6.2")
