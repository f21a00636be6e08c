"""Fact files: the parsed content is cached, and the cache never outlives its file."""

import sys
from importlib import util
from pathlib import Path

import pytest
import yaml

from models.catalog import data_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "facts.yaml").write_text("date: 2026-11-23\nrows: [1, two, {3: 4.5}]\n")
    return tmp_path


def kept_at(folder: Path) -> Path:
    return Path(util.cache_from_source(str(folder / "facts.yaml"))).with_suffix(".pickle")


def test_what_is_kept_is_what_was_parsed(folder: Path) -> None:
    parsed = yaml.safe_load((folder / "facts.yaml").read_text())
    assert data_file.read("facts.yaml", folder) == parsed
    assert kept_at(folder).exists()
    assert data_file.read("facts.yaml", folder) == parsed


def test_a_file_is_parsed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = data_file.read("facts.yaml", folder)
    monkeypatch.delattr(data_file.yaml, "load")
    assert data_file.read("facts.yaml", folder) == first


def test_an_edited_file_is_parsed_again(folder: Path) -> None:
    data_file.read("facts.yaml", folder)
    (folder / "facts.yaml").write_text("rows: [2]\n")
    assert data_file.read("facts.yaml", folder) == {"rows": [2]}


@pytest.mark.parametrize("kept", [b"", b"x", b"not what was kept"])
def test_what_another_version_kept_is_not_read(kept: bytes, folder: Path) -> None:
    first = data_file.read("facts.yaml", folder)
    kept_at(folder).write_bytes(kept)
    assert data_file.read("facts.yaml", folder) == first


def test_what_was_kept_in_part_is_parsed_again_and_kept_whole(folder: Path) -> None:
    first = data_file.read("facts.yaml", folder)
    whole = kept_at(folder).read_bytes()
    kept_at(folder).write_bytes(whole[:20])
    assert data_file.read("facts.yaml", folder) == first
    assert kept_at(folder).read_bytes() == whole


def test_what_cannot_be_kept_leaves_nothing_behind(folder: Path) -> None:
    kept_at(folder).mkdir(parents=True)
    data_file.read("facts.yaml", folder)
    assert list(kept_at(folder).parent.iterdir()) == [kept_at(folder)]


def test_nothing_is_kept_if_python_keeps_no_compiled_modules(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    data_file.read("facts.yaml", folder)
    assert not kept_at(folder).parent.exists()


def test_a_folder_that_cannot_be_written_is_read(folder: Path) -> None:
    kept_at(folder).parent.write_text("a file where the folder would be")
    assert data_file.read("facts.yaml", folder)["rows"][0] == 1
