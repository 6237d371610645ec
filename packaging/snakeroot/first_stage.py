"""The initramfs: the first stage (packaging/boot/), the modules that lead to the root, and nothing else.

The root itself is a squashfs on a disk; see packaging/boot/stage.c for what happens in between.
"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from snakeroot import cpio, crash_log, shipped
from snakeroot.host import BuildError, cache, replace, run
from snakeroot.tree import Tree

SOURCES = shipped.SOURCES
FILES = ("stage.c", "find.c", "root.c", "prefetch.c", "report.c")

#: The archive's last member: what is to be done with which module.
LIST = "modules.list"

#: Modules that are inserted first, whatever else is missing: sorted before all other members.
CRASH = "crash"
CRASH_LIST = f"{CRASH}/list"

#: Where the first stage looks for a root that came with the initramfs.
IMAGE = "root.img"

#: The module that makes a RAM disk.
RAM_DISK = "brd"

#: What modules are told.  A watchdog that only resets leaves no word of it; a panic does.
PARAMETERS = {"softdog": "soft_panic=1", crash_log.MODULE: crash_log.PARAMETERS}

FLAGS = (
    *("-std=gnu11", "-Os"),
    # No libc, neither its headers nor its start-up.
    *("-ffreestanding", "-nostdlib", "-static", "-fno-pie", "-no-pie"),
    # The stack protector's canary lies in libc's thread data; tables for exceptions and landing pads for
    # indirect branches are of no use to a program without either.
    *("-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fcf-protection=none"),
    # Else gcc turns the loop inside memset into a call of memset.
    "-fno-tree-loop-distribute-patterns",
    # Headers, code and constants in one segment, the file without gaps; the other one holds only zeros.
    # The linker's own page size stays: arm64 has kernels with pages of 4, 16 and 64 KiB.
    *("-Wl,-z,noseparate-code", "-Wl,-z,norelro", "-Wl,-z,noexecstack"),
    # The same bytes wherever it is compiled.
    *("-fno-ident", "-Wl,--build-id=none", "-s"),
)

#: Flags that only x86's compiler knows.
X86_FLAGS = {"-fcf-protection=none"}


def program(compiler: str = "gcc") -> bytes:
    """The first stage: a wheel's, else compiled, or from the cache when the same sources were compiled before."""
    if (brought := shipped.first_stage()) is not None:
        return brought
    sources = [SOURCES / name for name in FILES]
    version = run([compiler, "--version"])
    flags = [f for f in FLAGS if f not in X86_FLAGS or _is_x86(compiler)]
    digest = hashlib.sha256(repr(flags).encode() + version)
    for path in sorted(SOURCES.glob("*.[ch]")):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    kept = cache() / "first-stage" / digest.hexdigest()[:32]
    if not kept.exists():
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch, "stage")
            try:
                run([compiler, *flags, "-o", made, *sources])
            except BuildError as error:
                cure = "the kernel's headers may be missing: apt-get install linux-libc-dev"
                raise BuildError(str(error), error.hint or cure) from None
            replace(kept, made.read_bytes())
    return kept.read_bytes()


def _is_x86(compiler: str) -> bool:
    return run([compiler, "-dumpmachine"]).startswith((b"x86_64", b"i686"))


def initramfs(
    stage: bytes, modules: Mapping[str, bytes], crash: Mapping[str, bytes] | None = None
) -> bytes:
    """The archive, compressed.

    modules: file name -> bytes, in the order in which they are to be inserted.  With RAM_DISK among them
    the first stage copies the root to memory.
    crash: those that keep the kernel's last words (crash_log.modules)
    """
    tree = Tree()
    if crash:
        # Without the word that piece of memory belongs to somebody, and would be written to all the same.
        need = f"need {crash_log.WORD}\n"
        tree.file(CRASH_LIST, need + _listed(tree, CRASH, crash))
    # The kernel opens it for the first process, before anything is mounted.
    tree.device("dev/console", 5, 1)
    tree.file("init", stage, 0o755)
    tree.file(LIST, _listed(tree, "modules", modules))
    return _compressed(cpio.archive(tree, last=LIST))


def _listed(tree: Tree, folder: str, modules: Mapping[str, bytes]) -> str:
    """Put modules into a folder; returns the list of them."""
    lines = []
    for name, data in modules.items():
        path, stem = f"{folder}/{Path(name).name}", Path(name).stem
        tree.file(path, data)
        what = "ram" if stem == RAM_DISK else "load"
        lines.append(f"{what} {len(data)} /{path} {PARAMETERS.get(stem, '')}".rstrip() + "\n")
    return "".join([*lines, "end\n"])


def with_root(packed: bytes, root: bytes) -> bytes:
    """An initramfs with the root in it, for machines that boot without a disk.

    Its modules must include RAM_DISK.  The root is compressed already: a second archive, as it is.
    """
    tree = Tree()
    tree.file(IMAGE, root)
    return packed + cpio.archive(tree)


def _compressed(archive: bytes) -> bytes:
    """gzip, which every kernel unpacks; padded, so that another archive can follow."""
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)  # 9 takes ten times as long to save 1 %
    packed = pack.compress(archive) + pack.flush()
    return packed + bytes(-len(packed) % 4)
