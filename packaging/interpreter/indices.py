"""The distribution's mirrors as this machine knows them, and its indices of source packages.

apt verifies the indices by the distribution's signatures.  They get lists of their own in the cache: the machine's
configuration stays as it is.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snakeroot.host import cache

from interpreter import pins
from interpreter.client import Client, UnavailableError

#: Distributions -> the keys that their indices are signed with.
ORIGINS = {
    "debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}


@dataclass(frozen=True)
class Mirror:
    """A mirror of a distribution's archive."""

    #: A key of ORIGINS.
    origin: str
    #: "debian", "debian security", "ubuntu".
    name: str
    uri: str

    @property
    def security(self) -> bool:
        """Whether it is the archive of security updates."""
        return self.name.endswith("security")

    @property
    def pool(self) -> str:
        """The folder with its files."""
        return f"{self.uri}/pool/updates" if self.security else f"{self.uri}/pool"


@dataclass(frozen=True)
class Entry:
    """A source package in an index: its version, and the .orig archive's name and SHA-256."""

    version: str
    file: str
    sha256: str


def mirrors(client: Client) -> list[Mirror]:
    """The mirrors that apt is configured with; UnavailableError when it has none of a distribution we know.

    Debian's archive of security updates lies beside the main one on every mirror, whether apt uses it or not.
    """
    ask = ["apt-get", "indextargets", "--format"]
    asked = client.output([*ask, "$(ORIGIN) $(REPO_URI)"])
    if not asked.strip():  # before the first `apt-get update`, apt knows addresses only
        asked = client.output([*ask, " $(REPO_URI)", "--no-release-info"])
    found: dict[str, Mirror] = {}

    def add(origin: str, uri: str) -> None:
        security = origin == "debian" and "security" in uri
        found.setdefault(uri, Mirror(origin, f"{origin} security" if security else origin, uri))

    # Those whose origin is known come first.
    for line in sorted(asked.splitlines(), key=lambda line: line.startswith(" ")):
        known, _, uri = line.partition(" ")
        for address in _addresses(uri.strip()):
            origin = known.lower() or address.rpartition("/")[2].partition("-")[0]
            if origin in ORIGINS:
                add(origin, address)
    for mirror in list(found.values()):
        above, _, folder = mirror.uri.rpartition("/")
        if folder == "debian":
            add("debian", f"{above}/debian-security")
    if not found:
        raise UnavailableError("apt has no mirror of Debian or Ubuntu")
    return list(found.values())


def _addresses(uri: str) -> Iterator[str]:
    """What a URI of apt's stands for, without a slash at the end: itself, or a list of mirrors in a file."""
    if uri.startswith("mirror+file:"):
        path = Path(uri.removeprefix("mirror+file:").rstrip("/"))
        lines = path.read_text().splitlines() if path.is_file() else []
        words = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    else:
        words = [uri]
    yield from (word.rstrip("/") for word in words if re.match(r"(https?|file):/", word))


class Indices:
    """The indices of one distribution's source packages, read when they are first asked for."""

    def __init__(self, client: Client, mirrors: list[Mirror]) -> None:
        self._client, self._mirrors = client, mirrors
        self._origin = mirrors[0].origin
        self._root = cache() / "apt" / self._origin
        self._read: UnavailableError | bool = False

    def entries(self, package: str) -> list[Entry]:
        """A source package's versions in all suites, as they come."""
        self._update()
        asked = ["showsrc", "--only-source", package]
        text = self._client.output(["apt-cache", *self._options(), *asked])
        found = []
        for stanza in text.split("\n\n"):
            version = re.search(r"^Version: (\S+)", stanza, re.MULTILINE)
            # The package's own line is the version's: "3.5.7-1~deb13u2" -> openssl_3.5.7.orig.tar.gz.
            line = re.search(r"^ ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.\w+)$", stanza, re.MULTILINE)
            if version and line:
                found.append(Entry(version[1], line[2], line[1]))
        return found

    def address(self, source: tuple[str, str]) -> str:
        """Where the .orig archive of a package's version is said to lie."""
        name, version = source
        asked = ["source", "--download-only", "--tar-only", "--print-uris", f"{name}={version}"]
        text = self._client.output(["apt-get", *self._options(), *asked])
        found = re.search(r"^'([^']+)' ", text, re.MULTILINE)
        if not found:
            raise UnavailableError(f"apt knows no address for {name} {version}")
        return found[1]

    def download(self, source: tuple[str, str], target: Path) -> None:
        """Let apt fetch and check the .orig archive of a package's version."""
        name, version = source
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            asked = ["source", "--download-only", "--tar-only", f"{name}={version}"]
            self._client.output(["apt-get", *self._options(), *asked], cwd=Path(scratch))
            for path in Path(scratch).glob("*.orig.tar.*"):
                shutil.move(path, target)
                return
        raise UnavailableError(f"apt fetched no archive of {name} {version}")

    def _update(self) -> None:
        """Read the indices, once.  A suite that the mirror lacks does not hide the others."""
        if isinstance(self._read, UnavailableError):
            raise self._read
        if self._read:
            return
        for folder in ("lists/partial", "cache/archives/partial"):
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        with (self._root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lines = [
                f"deb-src [signed-by={ORIGINS[self._origin]}] {where} main\n"
                for where in self._suites()
            ]
            (self._root / "sources.list").write_text("".join(lines))
            try:
                self._client.output(["apt-get", *self._options(), "update"])
                self._read = True
            except UnavailableError as reason:
                if not any((self._root / "lists").glob("*_Sources*")):
                    self._read = reason
                    raise
                self._read = True

    def _suites(self) -> Iterator[str]:
        """URI and suite of each index; those of security are in an archive of their own, if there is one."""
        security = next((m.uri for m in self._mirrors if m.security), None)
        main = next((m.uri for m in self._mirrors if not m.security), security)
        for suite in pins.suites(self._origin):
            uri = security if suite.endswith("-security") and security else main
            yield f"{uri} {suite}"

    def _options(self) -> list[str]:
        root = self._root
        settings = {
            "Dir::Etc::sourcelist": f"{root}/sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": f"{root}/lists",
            "Dir::Cache": f"{root}/cache",
            "APT::Sandbox::User": "root",
            # What cannot be fetched for now is an error, not a remark.
            "APT::Update::Error-Mode": "any",
            "Acquire::GzipIndexes": "true",
            "Acquire::Retries": "0",
            "Acquire::http::Timeout": "20",
            "Acquire::https::Timeout": "20",
        }
        return [
            "-q",
            *(word for key, value in settings.items() for word in ("-o", f"{key}={value}")),
        ]
