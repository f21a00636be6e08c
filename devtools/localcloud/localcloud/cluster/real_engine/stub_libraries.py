"""`python stub_libraries.py`: lets torch's CUDA build be imported without CUDA's libraries.

The package index has no other build of torch for x86-64, and CUDA's libraries are 3 GB. For each
one that torch is linked to and that is not installed, gcc makes a library of the same name with the
symbols that torch looks for. Each symbol is a function that returns 1, an error in CUDA's
interfaces; none is called, because the real libcudart finds no GPU. Runs in the environment of
torch. Prints the names of the libraries.
"""

import collections
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.elffile import ELFFile

# What torch needs beside CUDA's libraries is on every machine with glibc.
_OF_CUDA = re.compile(r"lib(cu|nv|nccl)\w*\.so")
# libcuda belongs to the driver. Only an unused helper of torch is linked to it.
_OF_THE_DRIVER = "libcuda.so.1"
Symbols = dict[str, set[str]]


def wanted_symbols(libraries: list[Path]) -> dict[str, Symbols]:
    """The symbols that `libraries` need of each other library, by its name and their version.

    The version is empty for symbols of libraries that give their symbols none; which library such a
    symbol belongs to is told by its first letters (cufftExecC2C is of libcufft).
    """
    wanted: dict[str, Symbols] = {}
    unversioned: set[str] = set()
    for path in libraries:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED"):
                wanted.setdefault(tag.needed, collections.defaultdict(set))
            versions = {
                auxiliary.entry.vna_other: (library.name, auxiliary.name)
                for library, auxiliaries in elf.get_section_by_name(
                    ".gnu.version_r"
                ).iter_versions()
                for auxiliary in auxiliaries
            }
            for library, version in versions.values():
                wanted.setdefault(library, collections.defaultdict(set))[version] |= set()
            for name, index in _undefined(elf):
                if index in versions:
                    library, version = versions[index]
                    wanted[library][version].add(name)
                else:
                    unversioned.add(name)
    for library, symbols in wanted.items():
        if not symbols:
            prefix = re.split(r"\.so|_", library.removeprefix("lib"))[0].lower()
            symbols[""] = {name for name in unversioned if name.lower().startswith(prefix)}
    return wanted


def _undefined(elf: ELFFile) -> Iterator[tuple[str, int]]:
    """Each symbol that is looked for elsewhere, with the index of its version."""
    indexes = elf.get_section_by_name(".gnu.version")
    for number, symbol in enumerate(elf.get_section_by_name(".dynsym").iter_symbols()):
        if symbol.name and symbol["st_shndx"] == "SHN_UNDEF":
            version = indexes.get_symbol(number)["ndx"]
            yield symbol.name, version & 0x7FFF if isinstance(version, int) else 0


def make_stub(target: Path, symbols: Symbols) -> None:
    """Make one library with gcc; raises CalledProcessError or FileNotFoundError (no gcc)."""
    names = sorted(set().union(*symbols.values()))
    source = "".join(f"int {name}(void) {{ return 1; }}\n" for name in names) + "int stub;\n"
    with tempfile.TemporaryDirectory() as folder:
        code, script = Path(folder) / "stub.c", Path(folder) / "versions"
        code.write_text(source)
        command = ["gcc", "-shared", "-fPIC", "-fno-builtin", f"-Wl,-soname,{target.name}"]
        versions = {version: each for version, each in symbols.items() if version}
        if versions:
            script.write_text(
                "".join(
                    f"{version} {{ global: {'; '.join(sorted(each) or ['stub'])}; }};\n"
                    for version, each in versions.items()
                )
            )
            command.append(f"-Wl,--version-script={script}")
        subprocess.run([*command, "-o", str(target), str(code)], check=True)


def main() -> int:
    """Make the stubs of this Python's environment; returns the exit code."""
    site = Path(sysconfig.get_path("purelib"))
    folder = site / "torch" / "lib"
    libraries = [*folder.glob("*.so"), *(site / "torch").glob("_C.*.so")]
    installed = {path.name for path in (*folder.iterdir(), *(site / "nvidia").rglob("*.so*"))}
    for name, symbols in sorted(wanted_symbols(libraries).items()):
        if _OF_CUDA.match(name) and name not in installed and name != _OF_THE_DRIVER:
            make_stub(folder / name, symbols)
            print(name, sum(map(len, symbols.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
