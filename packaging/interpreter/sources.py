"""Pinned sources: from a folder, the cache, their makers, or the distribution.  A checksum decides."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import tomllib
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from snakeroot.host import cache

from interpreter.workshop import BuildError, output, run

HERE = Path(__file__).parent
PINS = HERE / "pins.toml"
LOCK = HERE.parent / "requirements.lock"

#: Seconds that a maker's server has to begin to answer.
TIMEOUT = 20


@dataclass(frozen=True)
class Pin:
    """One version of one source, as pins.toml has it."""

    name: str
    version: str
    sha256: str
    upstream: str
    package: str
    suites: tuple[str, ...]


def pins(name: str) -> list[Pin]:
    """The pins of a kind ("cpython"), best first; $SNAKEROOT_CPYTHON narrows them to one version."""
    table = tomllib.loads(PINS.read_text())
    found = [Pin(name=name, **{**pin, "suites": tuple(pin["suites"])}) for pin in table[name]]
    variable = f"SNAKEROOT_{name.upper()}"
    wanted = os.environ.get(variable)
    if wanted:
        found = [pin for pin in found if pin.version == wanted]
        if not found:
            raise BuildError(f"{variable}={wanted}: pins.toml has no such version")
    return found


def archive(name: str, log: Path) -> tuple[Pin, Path]:
    """The first pin of a kind that can be had, and its archive in the cache."""
    tried = []
    for pin in pins(name):
        for way in (_kept, _given, _from_makers, _from_pool, _from_distribution):
            with contextlib.suppress(OSError, BuildError):
                if path := way(pin, log):
                    return pin, path
        tried.append(f"{pin.name} {pin.version}")
    raise BuildError(
        f"{' and '.join(tried)} (packaging/interpreter/pins.toml) cannot be had: connect to the"
        " network, put the archive into a folder that $SNAKEROOT_SOURCES names, or pin another version"
    )


def unpack(archive_path: Path, target: Path, log: Path) -> None:
    """Unpack an archive that holds one folder; its contents become `target`."""
    target.mkdir()
    run(
        ["tar", "xf", archive_path, "-C", target, "--strip-components=1", "--no-same-owner"],
        log=log,
    )


def requirement(name: str) -> str:
    """The lock file's lines for one distribution: `name==version --hash=...`."""
    lines = LOCK.read_text().replace("\\\n", " ").splitlines()
    for line in lines:
        if line.replace("_", "-").lower().startswith(f"{name.replace('_', '-').lower()}=="):
            return line
    raise BuildError(f"{LOCK}: has no {name}")


def version_of(name: str) -> str:
    """The locked version of a distribution."""
    return requirement(name).split("==")[1].split()[0]


def distributions(names: Iterable[str], target: Path, log: Path, *, source: bool) -> None:
    """Download locked distributions into `target`: as wheels, or as source archives.

    pip asks source archives for their metadata, by their build tools: those of the lock file, which are
    in the virtual environment, not whatever is newest.
    """
    tools = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"}
    kind = ["--no-binary=:all:", "--no-build-isolation"] if source else ["--only-binary=:all:"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("".join(f"{requirement(name)}\n" for name in names))
        wanted.flush()
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        words = ["--no-deps", "--require-hashes", *kind, f"--dest={target}", "-r", wanted.name]
        run([*pip, *words], log=log, env=tools)


def _kept(pin: Pin, log: Path) -> Path | None:
    path = _place(pin)
    return path if path.exists() else None


def _given(pin: Pin, log: Path) -> Path | None:
    folder = os.environ.get("SNAKEROOT_SOURCES")
    for path in sorted(Path(folder).iterdir()) if folder else ():
        if path.is_file() and pin.version in path.name and checksum(path) == pin.sha256:
            return _keep(pin, partial(shutil.copy, path))
    return None


def _from_makers(pin: Pin, log: Path) -> Path | None:
    return _keep(pin, partial(_download, pin.upstream))


def _from_pool(pin: Pin, log: Path) -> Path | None:
    """The .orig archive itself: a mirror keeps it as long as any suite needs it, listed or not."""
    suffix = pin.upstream.rpartition(".tar.")[2]
    folder = f"main/{pin.package[0]}/{pin.package}"
    file = f"{pin.package}_{pin.version}.orig.tar.{suffix}"
    mirror = _mirror().rstrip("/")
    security = f"{mirror.rpartition('/')[0]}/debian-security"
    for url in (f"{mirror}/pool/{folder}/{file}", f"{security}/pool/updates/{folder}/{file}"):
        with contextlib.suppress(OSError):
            return _keep(pin, partial(_download, url))
    return None


def _download(url: str, target: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, target.open("wb") as file:
        shutil.copyfileobj(answer, file)


def _mirror() -> str:
    """Where this machine has its Debian packages from, out of its own configuration."""
    targets = output(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"])
    for line in targets.splitlines():
        origin, _, uri = line.partition(" ")
        # Where apt has no lists yet, it knows no origins.
        if "security" not in uri and (origin == "Debian" or uri.endswith("/debian/")):
            return uri
    raise BuildError("this machine has no Debian packages")


def _from_distribution(pin: Pin, log: Path) -> Path | None:
    """apt-get source, with lists of its own: the machine's configuration stays as it is."""
    mirror = _mirror()
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    for suite in pin.suites:
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch)
            for folder in ("lists/partial", "cache/archives/partial", "source"):
                (root / folder).mkdir(parents=True)
            (root / "sources.list").write_text(
                f"deb-src [signed-by={keyring}] {mirror} {suite} main\n"
            )
            options = [
                *("-q", "-o", f"Dir::Etc::sourcelist={root}/sources.list"),
                *("-o", "Dir::Etc::sourceparts=/dev/null", "-o", f"Dir::State::lists={root}/lists"),
                *("-o", f"Dir::Cache={root}/cache", "-o", "APT::Sandbox::User=root"),
            ]
            with contextlib.suppress(BuildError):
                run(["apt-get", *options, "update"], log=log)
                download = ["source", "--download-only", "--tar-only", pin.package]
                run(["apt-get", *options, *download], log=log, cwd=root / "source")
            for path in sorted((root / "source").iterdir()):
                if checksum(path) == pin.sha256:
                    return _keep(pin, partial(shutil.copy, path))
    return None


def _place(pin: Pin) -> Path:
    return cache() / "sources" / f"{pin.name}-{pin.version}.tar"


def _keep(pin: Pin, fetch: Callable[[Path], object]) -> Path:
    """Fetch into the cache; only a file with the pinned checksum gets its name."""
    path = _place(pin)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        fetch(part)
        found = checksum(part)
        if found != pin.sha256:
            raise BuildError(f"{pin.name} {pin.version}: checksum {found}, pinned is {pin.sha256}")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def checksum(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
