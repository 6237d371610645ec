"""Pinned sources: from the cache, a folder, or by one of the ways of ways.py.  A checksum decides."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from snakeroot.host import cache, replace, step

from interpreter import pins
from interpreter.client import UnavailableError
from interpreter.pins import TITLES, Pin
from interpreter.ways import World, ways
from interpreter.workshop import BuildError, run

HERE = Path(__file__).parent
LOCK = HERE.parent / "requirements.lock"

#: Seconds for which a pin that could not be had is tried after the others: a day.
MISSED = 86400


@dataclass(frozen=True)
class Archive:
    """A pin and its archive in the cache."""

    pin: Pin
    path: Path


class _Search:
    """One look for a kind of source: what was tried, and how each way failed."""

    def __init__(self, name: str, world: World, log: Path) -> None:
        self._pins = pins.chosen(name)
        self._title = TITLES.get(name, name)
        self._world, self._log = world, log
        self._failures: dict[Pin, list[tuple[str, UnavailableError]]] = {}

    def find(self) -> Archive:
        """The newest pin that can be had.  BuildError when there is none."""
        here = {pin: path for pin in self._pins if (path := self._local(pin))}
        wanted = sorted(self._pins, key=lambda pin: pin not in here and _missed_of_late(pin))
        if wanted[0] in here:
            return Archive(wanted[0], here[wanted[0]])
        with step(f"fetching {self._title}"):
            found = (Archive(p, path) for p in wanted if (path := here.get(p) or self._fetch(p)))
            archive = next(found, None)
        if not archive:
            raise self._nothing()
        for pin, failures in self._failures.items():
            replace(_place(pin, ".missed"), b"")
            self._say(f"{pin} cannot be had: {'; '.join(f'{way}: {why}' for way, why in failures)}")
        return archive

    def _local(self, pin: Pin) -> Path | None:
        """A pin's archive out of the cache, or out of the folder of archives that the user has."""
        path = _place(pin)
        if path.exists():
            if (found := checksum(path)) == pin.sha256:
                return path
            self._say(f"{path}: {_mismatch(pin, found)}; it is fetched again")
        for file, found in _given().items():
            if found == pin.sha256:
                return _keep(pin, partial(shutil.copyfile, file))
            named = re.search(rf"(?<![\d.]){re.escape(pin.version)}(?!\.?\d)", file.name)
            if named and found not in {other.sha256 for other in self._pins}:
                self._say(f"{file}: {_mismatch(pin, found)}")
        return None

    def _fetch(self, pin: Pin) -> Path | None:
        """A pin's archive by the first way that leads to it."""
        failures: list[tuple[str, UnavailableError]] = []
        for way in ways(pin, self._world):
            try:
                return _keep(pin, way.fetch)
            except ChecksumError as wrong:
                # The next way may be right; but that this one was wrong must be seen.
                self._say(f"{pin} from {way.name}: {wrong}")
                failures.append((way.name, wrong))
            except UnavailableError as reason:
                failures.append((way.name, reason))
        self._failures[pin] = failures
        return None

    def _say(self, text: str) -> None:
        print(f"dev: {text}", file=sys.stderr)
        with self._log.open("a") as file:
            file.write(f"{text}\n")

    def _nothing(self) -> BuildError:
        """The error when no way led anywhere, after the reason of each."""
        reasons = [reason for failures in self._failures.values() for reason in failures]
        versions = ", ".join(dict.fromkeys(pin.version for pin in self._pins))
        cure = "put its archive into a folder that $SNAKEROOT_SOURCES names"
        if all(reason.offline for _, reason in reasons):
            return BuildError(
                f"no network: {self._title} ({versions}) cannot be fetched: connect, or {cure}"
            )
        for pin, failures in self._failures.items():
            for way, reason in failures:
                self._say(f"{pin} from {way}: {reason}")
        return BuildError(
            f"{self._title} ({versions}) cannot be had: see above, connect to the network, {cure}, or pin another"
            " version (`./dev sources --update`)"
        )


class ChecksumError(UnavailableError):
    """A file that is not the pinned one."""


def archive(name: str, log: Path, world: World) -> Archive:
    """The newest pin of a kind that can be had, and its archive.

    Says on standard error why no newer one was taken, and which file had a wrong checksum.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    return _Search(name, world, log).find()


def unpack(archive: Archive | Path, target: Path, log: Path) -> None:
    """Unpack an archive that holds one folder; its contents (of a pin: its source's) become `target`."""
    if isinstance(archive, Archive):
        path, folder = archive.path, archive.pin.folder
    else:
        path, folder = archive, ""
    target.mkdir()
    words: list[str | Path] = ["tar", "xf", path, "-C", target, "--no-same-owner"]
    words.append(f"--strip-components={1 + len(Path(folder).parts)}")
    if folder:
        words += ["--wildcards", "--no-wildcards-match-slash", f"*/{folder}"]
    run(words, log=log)


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


def _given() -> dict[Path, str]:
    """The files of the user's own folder of archives, with their checksums."""
    folder = os.environ.get("SNAKEROOT_SOURCES")
    if not folder:
        return {}
    try:
        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
        return {path: checksum(path) for path in files}
    except OSError as error:
        raise BuildError(f"$SNAKEROOT_SOURCES: {error.filename}: {error.strerror}") from None


def _place(pin: Pin, suffix: str = "") -> Path:
    return cache() / "sources" / f"{pin.file}{suffix}"


def _missed_of_late(pin: Pin) -> bool:
    """Whether a pin could not be had on the last day: its servers are not asked at every build."""
    path = _place(pin, ".missed")
    return path.exists() and 0 <= time.time() - path.stat().st_mtime < MISSED


def _keep(pin: Pin, fetch: Callable[[Path], object]) -> Path:
    """Fetch into the cache; only a file with the pinned checksum gets its name."""
    path = _place(pin)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        fetch(part)
        found = checksum(part)
        if found != pin.sha256:
            raise ChecksumError(_mismatch(pin, found))
        part.replace(path)
    except OSError as error:
        # A write names no file.
        raise OSError(error.errno, error.strerror, error.filename or str(path)) from None
    finally:
        part.unlink(missing_ok=True)
    _place(pin, ".missed").unlink(missing_ok=True)
    return path


def _mismatch(pin: Pin, found: str) -> str:
    return f"checksum {found}, pinned is {pin.sha256}"


def checksum(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
