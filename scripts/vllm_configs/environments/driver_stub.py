"""Runs in the environment of one vLLM: makes a libcuda.so.1 that its extensions can be linked to.

The library belongs to the driver, which a machine without a GPU lacks. Its functions, and those of
CUDA's libraries that torch itself does not ask for, return an error; the configuration calls none.
"""

import sys
import sysconfig
from pathlib import Path

from elftools.elf.elffile import ELFFile
from stub_libraries import make_stub

UNVERSIONED = 2  # below it a symbol names no version of a library


def main() -> None:
    """Make the library from what the extensions look for."""
    wanted: set[str] = set()
    for path in (Path(sysconfig.get_path("purelib")) / "vllm").rglob("*.so"):
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            versions = elf.get_section_by_name(".gnu.version")
            for number, symbol in enumerate(elf.get_section_by_name(".dynsym").iter_symbols()):
                version = versions.get_symbol(number)["ndx"] if versions else 0
                free = not isinstance(version, int) or version < UNVERSIONED
                if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name.startswith("cu") and free:
                    wanted.add(symbol.name)
    make_stub(Path(sys.prefix) / "libcuda.so.1", {"": wanted})


if __name__ == "__main__":
    main()
