"""Files out of the distribution's packages, without installing them and without root.

apt-get downloads and checks a package by the distribution's own signatures; dpkg-deb unpacks it into
the cache.  Nothing of the host itself gets into an image this way.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache as once
from pathlib import Path

from snakeroot.host import BuildError, OfflineError, cache, replace, run

#: What apt knows lies here; it changes when `apt-get update` brings news.
LISTS = Path("/var/lib/apt/lists")


@once
def unpacked(package: str) -> Path:
    """The folder with the files of the newest version of `package`, downloaded when the cache lacks it."""
    version = candidate(package)
    folder = cache() / "packages" / f"{package}_{version.replace(':', '%3a')}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        # apt's own download user may not write here; it says so and goes on as we are.
        try:
            run(["apt-get", "download", "-q", f"{package}={version}"], cwd=Path(scratch))
        except OfflineError:
            raise
        except BuildError as error:
            last = str(error).splitlines()[-1].removeprefix("E: ")
            raise BuildError(
                f"{package} {version} cannot be fetched: {last}",
                "the mirror has a newer one by now? run apt-get update, and this again",
            ) from None
        archive = next(Path(scratch).glob("*.deb"))
        files = Path(scratch) / "files"
        run(["dpkg-deb", "-x", archive, files])
        shutil.move(files, folder)
    return folder


def find(package: str, name: str) -> Iterator[Path]:
    """The files of this name in the package, wherever they lie in it; links are followed inside it."""
    folder = unpacked(package)
    # Not by rglob: it leaves out absolute links, which lead nowhere before the package is installed.
    paths = (Path(place, name) for place, _, names in os.walk(folder) if name in names)
    for path in sorted(paths):
        if real := _inside(folder, path):
            yield real


def file(package: str, path: str) -> Path | None:
    """The package's file at an absolute path, with or without /usr; links are followed inside it."""
    folder = unpacked(package)
    short = path.removeprefix("/usr")
    for one in (path, short, f"/usr{short}"):
        if real := _inside(folder, folder / one.lstrip("/")):
            return real
    return None


def _inside(folder: Path, path: Path) -> Path | None:
    """The regular file that a path in the folder leads to, when that lies in the folder as well."""
    for _ in range(40):  # as many links as the kernel follows
        if not path.is_symlink():
            break
        target = os.readlink(path)
        path = folder / target.lstrip("/") if target.startswith("/") else path.parent / target
    real = path.resolve()
    return real if real.is_relative_to(folder.resolve()) and real.is_file() else None


def candidate(package: str) -> str:
    """The version that the distribution would install."""
    for line in _ask("policy", package).splitlines():
        word, _, version = line.strip().partition(": ")
        if word == "Candidate" and version != "(none)":
            return version
    raise BuildError(f"{package}: the distribution has no such package", "try: apt-get update")


def dependencies(package: str) -> list[str]:
    """The packages that `package` depends on directly."""
    lines = (line.strip(" |") for line in _ask("depends", package).splitlines())
    return [line.split()[1] for line in lines if line.startswith("Depends: ")]


def _ask(question: str, package: str) -> str:
    """What apt-cache answers.  It takes half a second to, so answers are kept until apt has news."""
    news = LISTS.stat().st_mtime_ns if LISTS.exists() else 0
    kept = cache() / "packages" / f"apt-{question}-{package}.json"
    if kept.exists():
        at, answer = json.loads(kept.read_text())
        if at == news:
            return str(answer)
    answer = run(["apt-cache", question, package], env={"LC_ALL": "C"}).decode()
    replace(kept, json.dumps([news, answer]).encode())
    return answer


def certificates() -> bytes:
    """The distribution's certificate authorities, as one PEM file."""
    folder = unpacked("ca-certificates") / "usr/share/ca-certificates/mozilla"
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.crt")))
