"""Only package managers and their lock files name package registries.

Many machines use a mirror instead of a registry, so a registry's name anywhere else would be
wrong there. Tests that need an address without a server use a reserved name (RFC 2606:
`.example`, `.invalid`, `.test`).
"""

import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
LOCK_FILES = {"uv.lock", "go.sum"}
# In two parts, so that this file does not name them either.
REGISTRIES = {
    f"{name}.{domain}"
    for name, domain in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("proxy.golang", "org"),
        ("sum.golang", "org"),
        ("registry.npmjs", "org"),
        ("registry.yarnpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("repo1.maven", "org"),
        ("repo.maven.apache", "org"),
        ("conda.anaconda", "org"),
    )
}


def files_of_the_repository() -> list[Path]:
    """All files except ignored ones; new files are included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    ).stdout
    paths = (CHECKOUT / name for name in listed.decode().split("\0") if name)
    return [path for path in paths if path.is_file() and path.name not in LOCK_FILES]


def test_only_lock_files_name_a_package_registry() -> None:
    files = files_of_the_repository()
    assert len(files) > 100
    found = {
        f"{path.relative_to(CHECKOUT)}: {host}"
        for path in files
        for host in REGISTRIES
        if host.encode() in path.read_bytes().lower()
    }
    assert not found
