"""GRUB of several releases of Debian, whatever this machine has: the boot loader's tests run them all.

Nothing is installed: packages are unpacked into the cache, and each release's grub-mkimage runs with its own C library.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from interpreter.client import Client
from interpreter.indices import ORIGINS, mirrors
from snakeroot import grub, packages
from snakeroot.host import BuildError, cache, run

#: The releases; their GRUBs are 2.06, 2.12 and 2.14.
SUITES = ("bookworm", "trixie", "forky")

#: The modules, the program that links them (which lies in one or the other of the first two), and its libraries.
PACKAGES = (
    *("grub-common", "grub2-common", "grub-pc-bin", "grub-efi-amd64-bin"),
    *("libc6", "liblzma5", "libdevmapper1.02.1"),
)

#: Seconds after which a release is asked for a newer version: a week.
FRESH = 7 * 86400


@functools.cache
def unpacked(suite: str) -> Path:
    """The folder with the files of a release's PACKAGES; what the cache has, when they cannot be had anew."""
    folder = cache() / "grub" / suite
    stamp = folder / "complete"
    if not stamp.exists() or time.time() - stamp.stat().st_mtime > FRESH:
        try:
            _fetch(suite, folder)
        except BuildError:
            if not stamp.exists():
                raise
    return folder


def _fetch(suite: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    mirror = next(one.uri for one in mirrors(Client()) if one.name == "debian")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        root = Path(scratch)
        for name in ("lists/partial", "cache/archives/partial", "debs", "files"):
            (root / name).mkdir(parents=True)
        (root / "status").touch()
        (root / "sources.list").write_text(
            f"deb [signed-by={ORIGINS['debian']}] {mirror} {suite} main\n"
        )
        settings = {
            "Dir::Etc::sourcelist": root / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": root / "lists",
            "Dir::State::status": root / "status",
            "Dir::Cache": root / "cache",
            "APT::Sandbox::User": "root",
        }
        apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in settings.items())]
        run([*apt, "update"])
        run([*apt, "download", *PACKAGES], cwd=root / "debs")
        for archive in sorted((root / "debs").iterdir()):
            run(["dpkg-deb", "-x", archive, root / "files"])
        (root / "files/complete").touch()
        shutil.rmtree(folder, ignore_errors=True)
        (root / "files").rename(folder)


def use(suite: str, patch: pytest.MonkeyPatch) -> None:
    """From now on, until the patch is undone, grub.py takes its modules and its program from a release."""
    folder = unpacked(suite)
    loader = next(p for p in sorted(folder.rglob("ld-linux-x86-64.so.2")) if not p.is_symlink())
    libraries = f"{loader.parent}:{folder}/usr/lib/x86_64-linux-gnu:{folder}/lib/x86_64-linux-gnu"
    program = (loader, "--library-path", libraries, folder / "usr/bin/grub-mkimage")
    patch.setattr(grub, "MAKE_IMAGE", program)
    find: Callable[[str], Path] = packages.unpacked
    patch.setattr(
        packages, "unpacked", lambda name: folder if name.startswith("grub-") else find(name)
    )
