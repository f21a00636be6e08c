"""Stack files as the local cloud copies them."""

from pathlib import Path

import pytest
import yaml

from localcloud.cloud import LocalCloud
from localcloud.workspace import LocalSecret, Workspace, WorkspaceError, localized, placeholder

SECRET = LocalSecret(salt="v1:local", ciphertext="v1:cipher")
TOKEN = {"secure": "v1:cipher"}
KEY = "app:token"


@pytest.mark.parametrize(
    "text",
    [
        "config:\n  a:b: 1\n",
        "config:\n    a:b: 1\n",
        "config:   # what it is\n  # first\n\n  a:b: 1",
        "config: {a:b: 1}\n",
        "config:\n  a:b: 1\nencryptionsalt: v1:theirs\n",
        "secretsprovider: gcpkms://x\nencryptedkey: abc\nconfig:\n  a:b: 1\n",
    ],
)
def test_a_copy_has_the_local_key_and_the_placeholder_token(text: str) -> None:
    assert yaml.safe_load(localized(text, SECRET, token_key=KEY)) == {
        "config": {"a:b": 1, KEY: TOKEN},
        "encryptionsalt": "v1:local",
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "config:\n", "config: {}\n"])
def test_an_empty_stack_file_has_only_the_token(text: str) -> None:
    copy = yaml.safe_load(localized(text, SECRET, token_key=KEY))
    assert copy["config"] == {KEY: TOKEN}


def test_a_real_users_secrets_are_replaced() -> None:
    text = (
        "encryptionsalt: v1:theirs\nconfig:\n  app:token:\n    secure: v1:real\n"
        "  other:\n    inner: {secure: v1:more}\n"
    )
    copy = localized(text, SECRET, token_key=KEY)
    assert "real" not in copy
    assert "more" not in copy
    assert "theirs" not in copy
    assert yaml.safe_load(copy)["config"]["other"] == {"inner": TOKEN}


def test_a_token_can_be_left_out() -> None:
    copy = localized("config:\n  a:b: 1\n", SECRET, token_key=None)
    assert yaml.safe_load(copy)["config"] == {"a:b": 1}


def test_copies_follow_their_originals(tmp_path: Path) -> None:
    project = tmp_path / "p"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("config:\n  a: 1\n")
    workspace = Workspace(tmp_path / "home", project)
    workspace.sync(SECRET, token_key=None, cache=tmp_path)
    (project / "Pulumi.dev.yaml").rename(project / "Pulumi.prod.yaml")
    workspace.sync(SECRET, token_key=None, cache=tmp_path)
    assert sorted(path.name for path in workspace.folder.glob("Pulumi*")) == [
        "Pulumi.prod.yaml",
        "Pulumi.yaml",
    ]
    assert yaml.safe_load((workspace.folder / "Pulumi.yaml").read_text())["main"] == str(project)


def test_a_folder_without_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"has no Pulumi\.yaml"):
        LocalCloud(tmp_path).project(tmp_path)


def test_secrets_other_than_the_token_keep_values_of_their_own() -> None:
    keys = "  a:keys:\n    x: {secure: mine}\n    y: {secure: v1:two}\n"
    text = f"config:\n  a:token: {{secure: v1:one}}\n{keys}"
    copy = localized(
        text,
        SECRET,
        token_key="a:token",
        others=lambda value: f"local {value}",
        token_name="a:token",
    )
    config = yaml.safe_load(copy)["config"]
    assert config["a:token"] == {"secure": SECRET.ciphertext}
    assert config["a:keys"] == {"x": {"secure": "local mine"}, "y": {"secure": "local v1:two"}}


def test_a_secret_in_plain_text_stands_for_itself_and_ciphertexts_differ() -> None:
    assert placeholder("my-own-key") == "my-own-key"
    assert placeholder("v1:one") != placeholder("v1:two")
    assert "one" not in placeholder("v1:one")
