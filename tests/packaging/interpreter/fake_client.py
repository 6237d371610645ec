"""A world in a test's hands: servers and tools that have what is asked for, unless they are blocked."""

from __future__ import annotations

import datetime
import errno
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from interpreter.client import Client, UnavailableError

GOOD = b"the makers' own archive"
OLD = b"their older one"
#: Version -> archive.
ARCHIVES = {"2.0": GOOD, "1.0": OLD}
CRATE = b"the makers' own archive in a Rust package"

MIRROR = "http://mirror.example/debian"


class FakeClient(Client):
    """Has the archive of any version of "thing", by every way.

    blocked: names of ways ("pool debian"), tools, or versions that are not there.
    """

    def __init__(self, *blocked: str) -> None:
        self.blocked = blocked
        self.offline = False
        self.full = False
        self.wrong: dict[str, bytes] = {}
        self.asked: list[str] = []
        #: What the index lists, and what the registry has.
        self.listed = ARCHIVES
        self.crate = "100.1.0+1.0"

    def head(self, url: str) -> datetime.date | None:
        self._ask(self._way(url), url)
        return datetime.date(2026, 1, 1)

    def download(self, url: str, target: Path) -> None:
        way = self._way(url)
        self._ask(way, url)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        target.write_bytes(self.wrong.get(way, _of(url)))

    def output(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        words = [str(word) for word in argv]
        if words[0] in self.blocked:
            raise UnavailableError(f"{words[0]} is not installed")
        if words[0] == "cargo":
            assert cwd
            return self._cargo(words[1], cwd)
        if "indextargets" in words:
            return f"Debian {MIRROR}/\nDocker http://mirror.example/linux/debian/\n"
        self._ask("index debian", " ".join(words))
        if "showsrc" in words:
            return "\n\n".join(
                f"Package: thing\nVersion: {version}-1\nChecksums-Sha1:\n {'0' * 40} 9 thing_{version}.orig.tar.xz\n"
                f"Checksums-Sha256:\n {'0' * 64} 9 thing_{version}-1.dsc\n {hashlib.sha256(data).hexdigest()} 9 thing_{version}.orig.tar.xz"
                for version, data in self.listed.items()
            )
        if "source" in words:
            self._ask("index debian", words[-1])
            if "--print-uris" in words:
                return f"Need to get it.\n'{MIRROR}/pool/elsewhere' thing.orig.tar.xz 9 SHA256:0\n"
            assert cwd
            (cwd / "thing.orig.tar.xz").write_bytes(_of(words[-1]))
        return ""

    def _way(self, url: str) -> str:
        if url.startswith(f"{MIRROR}/pool/main/"):
            return "pool debian"
        if url.startswith(f"{MIRROR}-security/pool/updates/main/"):
            return "pool debian security"
        return "index debian" if url.startswith(MIRROR) else "makers.example"

    def _ask(self, way: str, what: str) -> None:
        self.asked.append(what)
        if self.offline:
            raise UnavailableError("no such host name", offline=True)
        if way in self.blocked or any(word[0].isdigit() and word in what for word in self.blocked):
            raise UnavailableError("404 Not Found")

    def _cargo(self, command: str, folder: Path) -> str:
        manifest = (folder / "Cargo.toml").read_text()
        self._ask("crate", manifest)
        assert 'thing-src = "=100.1.0"' in manifest or 'thing-src = "~100.1"' in manifest
        digest = hashlib.sha256(CRATE).hexdigest()
        (folder / "Cargo.lock").write_text(
            '[[package]]\nname = "cc"\nversion = "1.999.0"\n\n'
            f'[[package]]\nname = "thing-src"\nversion = "{self.crate}"\nchecksum = "{digest}"\n'
        )
        if command == "fetch":
            path = Path(os.environ["CARGO_HOME"], "registry/cache/r/thing-src-100.1.0+1.0.crate")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.wrong.get("crate", CRATE))
        return ""


def _of(name: str) -> bytes:
    """The archive of the version that is part of a name."""
    return next(data for version, data in ARCHIVES.items() if version in name)
