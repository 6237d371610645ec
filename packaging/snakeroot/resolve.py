"""Requirements -> a lock -> a folder of packages, for the box's Python and machine, by uv.

uv evaluates markers for the box and not for the developer's machine, and takes the versions that a usual CPython there
would get.  What it found is written beside the program (PEP 751), so that the next build gets the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snakeroot import shared
from snakeroot.host import BuildError, OfflineError, ToolError, cache, replace, run

#: Nothing that needs a compiler is built: it would be for the developer's Python.  The rest is how packages with an
#: optional compiled part are told to do without.
WITHOUT_COMPILER = {
    **dict.fromkeys(("CC", "CXX", "LD", "LDSHARED", "CARGO", "RUSTC", "FC"), "false"),
    **dict.fromkeys(
        (
            *(
                "MSGPACK_PUREPYTHON",
                "DISABLE_SQLALCHEMY_CEXT",
                "SKIP_CYTHON",
                "AIOHTTP_NO_EXTENSIONS",
            ),
            *("FROZENLIST_NO_EXTENSIONS", "MULTIDICT_NO_EXTENSIONS", "PROPCACHE_NO_EXTENSIONS"),
            *("YARL_NO_EXTENSIONS", "WRAPT_DISABLE_EXTENSIONS", "SETUPTOOLS_SCM_NO_EXTENSIONS"),
        ),
        "1",
    ),
    "WRAPT_INSTALL_EXTENSIONS": "false",
    "BUILD_EXTENSION": "no",  # websockets
    "CHARSET_NORMALIZER_USE_MYPYC": "0",
    "PYYAML_FORCE_CYTHON": "0",
    "PYYAML_FORCE_LIBYAML": "0",
}

#: Seconds for one package to be built without a compiler.
PATIENCE = 180.0

#: The table of a lock that says what it was made from.
TABLE = "[tool.snakeroot]"


@dataclass(frozen=True)
class Wanted:
    """What a service asks for.

    source: a requirements file, pyproject.toml or setup.py; or None for the one requirement `text`
    lock: where its lock lies
    """

    lock: Path
    source: Path | None = None
    text: str = ""

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.source) if self.source else f"'{self.text}'"


@dataclass(frozen=True)
class Python:
    """The box's Python ("3.13.5"), which runs on this machine's architecture."""

    version: str

    @property
    def series(self) -> str:
        """Its first two numbers: "3.13"."""
        return ".".join(self.version.split(".")[:2])

    def words(self) -> list[str]:
        """What tells uv."""
        return ["--python-version", self.version, "--python-platform", shared.tag()]


def lock(wanted: Wanted, python: Python, *, renew: bool = False) -> None:
    """Write the lock unless it is of these requirements; versions that it has are kept where they still fit.

    renew: take the newest versions instead
    """
    inputs = _inputs(wanted, python)
    if not renew and _made_from(wanted.lock) == inputs:
        return
    # Relative paths in a lock begin where it lies, so the new one is written there.
    part = wanted.lock.with_name(f"pylock.part{os.getpid()}.toml")
    with tempfile.TemporaryDirectory() as scratch:
        source = wanted.source
        if source is None:
            source = Path(scratch) / "requirements.txt"
            source.write_text(f"{wanted.text}\n")
        words: list[str | Path] = [
            "pip",
            "compile",
            "--no-header",
            "--format",
            "pylock.toml",
            "-o",
            part,
        ]
        try:
            if wanted.lock.exists() and not renew:
                shutil.copyfile(wanted.lock, part)
            # Paths in the one requirement begin at the instance.
            _uv([*words, *python.words(), source], wanted, python, cwd=wanted.lock.parent)
            replace(wanted.lock, _own(part.read_text(), inputs).encode())
        finally:
            part.unlink(missing_ok=True)


def install(wanted: Wanted, python: Python, folder: Path) -> None:
    """Put the locked packages into `folder`."""
    _install(["-r", wanted.lock], wanted, python, folder, wanted.lock.parent)


def unpack(requirement: str, python: Python, folder: Path) -> None:
    """Put the package that a requirement names into `folder`, alone: without what it requires itself."""
    words: list[str | Path] = ["pip", "install", "--target", folder, "--no-deps", *python.words()]
    _uv([*words, "--", requirement], Wanted(folder, text=requirement), python)


def install_project(project: Path, wanted: Wanted, python: Python, folder: Path) -> None:
    """Build a project of the user's (it has a pyproject.toml or setup.py) and put it into `folder`."""
    _install(["--reinstall", project], wanted, python, folder, project)


def _install(
    what: list[str | Path], wanted: Wanted, python: Python, folder: Path, cwd: Path
) -> None:
    words: list[str | Path] = ["pip", "install", "--target", folder, "--no-deps"]
    _uv([*words, "--link-mode", "copy", *python.words(), *what], wanted, python, cwd=cwd)
    _tidy(folder)


def _tidy(folder: Path) -> None:
    """Remove what names this machine: scripts with its interpreter, where a package came from and when, uv's lock."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for info in folder.glob("*.dist-info"):
        for name in ("direct_url.json", "uv_cache.json"):
            (info / name).unlink(missing_ok=True)


def without_compiler(name: str, version: str, lock: Path) -> Path | None:
    """A folder with the package built from its source archive without a compiler; None when that cannot be done.

    It may hold shared libraries all the same.  Answers are kept: the archive of a version never changes.
    """
    archive = _archive(name, lock)
    key = hashlib.sha256(f"{name} {version} {archive}".encode()).hexdigest()[:16]
    kept = cache() / "pure" / f"{name}-{version}-{key}"
    if (kept / "failed").exists():
        return None
    if (kept / "built").is_dir():
        return kept / "built"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        requirement = Path(scratch) / "requirements.txt"
        hashed = f" --hash=sha256:{archive}" if archive else ""
        requirement.write_text(f"{name}=={version}{hashed}\n")
        # For this machine's Python: a package with an optional compiled part names its wheel after the Python that
        # built it, though there is nothing compiled in it.
        words = ["pip", "install", "--target", f"{scratch}/built", "--no-deps", "--no-binary", name]
        words += ["--python", sys.executable, "--link-mode", "copy", "-r", str(requirement)]
        try:
            _run(words, Path(scratch))
        except OfflineError:
            raise
        except BuildError:
            (kept / "failed").touch()
            return None
        _tidy(Path(scratch) / "built")
        (Path(scratch) / "built").rename(kept / "built")
    return kept / "built"


def _archive(name: str, lock: Path) -> str:
    """The SHA-256 of the package's source archive, as locked; "" when there is none."""
    for package in tomllib.loads(lock.read_text()).get("packages", []):
        if package["name"] == name:
            return str(package.get("sdist", {}).get("hashes", {}).get("sha256", ""))
    return ""


# -- the lock ----------------------------------------------------------------------------------------------


def _inputs(wanted: Wanted, python: Python) -> str:
    """What a lock is made from, as a hash: the requirements, and what they are resolved for."""
    digest = hashlib.sha256(f"{python.series} {shared.tag().partition('-')[0]}\n".encode())
    if wanted.source is None:
        digest.update(wanted.text.encode())
    else:
        for path in _files(wanted.source, []):
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(path: Path, seen: list[Path]) -> list[Path]:
    """A requirements file, and those that it includes by -r and -c."""
    if path in seen or not path.is_file():
        return seen
    seen.append(path)
    if path.suffix not in (".toml", ".py"):
        text = path.read_text(errors="replace")
        for found in re.findall(r"^\s*(?:-[rc]|--requirement|--constraint)[ =]*(\S+)", text, re.M):
            _files(path.parent / found, seen)
    return seen


def lines(source: Path) -> list[str]:
    """The requirements in a requirements file (with those that it includes), or of a pyproject.toml."""
    if source.suffix == ".toml":
        try:
            project = tomllib.loads(source.read_text()).get("project", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            return []
        return [str(line) for line in project.get("dependencies", [])]
    if source.suffix == ".py":
        return []
    texts = [path.read_text(errors="replace") for path in _files(source, [])]
    found = [
        re.split(r"\s(?:#|--)", line)[0].strip() for text in texts for line in text.splitlines()
    ]
    return [line for line in found if line and line[0] not in "#-"]


def locked(lock: Path) -> dict[str, str]:
    """Package -> version of a lock; none when there is none."""
    try:
        packages = tomllib.loads(lock.read_text()).get("packages", [])
    except (OSError, ValueError):
        return {}
    return {str(one["name"]): str(one.get("version", "?")) for one in packages}


def _made_from(lock: Path) -> str:
    """The inputs that a lock was made from; "" when there is none.  BuildError for one that is not ours."""
    try:
        table = tomllib.loads(lock.read_text())
    except FileNotFoundError:
        return ""
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BuildError(f"{lock}: {error}", "remove it, and build again") from None
    own = table.get("tool", {}).get("snakeroot", {})
    if not own:
        raise BuildError(
            f"{lock}: was written by another tool, and snakeroot would replace it",
            "rename or remove it; what it is made from is resolved anew",
        )
    return str(own.get("inputs", ""))


def _own(text: str, inputs: str) -> str:
    """A lock as we write it.

    Without its line about Python, which uv would hold against the Python that it runs on, not the box's.
    """
    text = re.sub(r"^requires-python = .*\n", "", text, flags=re.M)
    note = "# Written by snakeroot; `snakeroot lock` renews it.\n"
    return f'{note}{text.rstrip()}\n\n{TABLE}\ninputs = "{inputs}"\n'


# -- uv ----------------------------------------------------------------------------------------------------


def _uv(
    words: Sequence[str | Path], wanted: Wanted, python: Python, *, cwd: Path | None = None
) -> None:
    """Run uv; its errors become one line that names the requirement and the cure."""
    try:
        _run(words, cwd)
    except OfflineError as error:
        raise BuildError(f"{wanted.name}: {error}", error.hint) from None
    except ToolError as error:
        text, hint = explained(error.said, python)
        raise BuildError(f"{wanted.name}: {text}", hint) from None


def _run(words: Sequence[str | Path], cwd: Path | None) -> None:
    from uv import find_uv_bin

    # What it builds has no compiled parts, so what it keeps is not for the user's own uv.
    own = {"UV_CACHE_DIR": str(cache() / "uv"), "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    run(
        [find_uv_bin(), *words[:2], "--quiet", *words[2:]],
        cwd=cwd,
        env={**own, **WITHOUT_COMPILER},
        timeout=PATIENCE * 5 if "compile" in words else PATIENCE,
    )


#: uv's words for what is wrong with a requirement, and where it says more.
_ABI = re.compile(
    r"Because (\S+?)(?:==|[<>]=?)(\S+) has no wheels with a matching Python (?:ABI|implementation|version) tag"
)
_ABIS = re.compile(
    r"found wheels for `(\S+)` \(v?(\S+)\) with the following Python (?:ABI|implementation|version) tags?: (.*?)(?: hint:|$)"
)
_PLATFORM = re.compile(
    r"(?:Because|because) (\S+?)(?:==|[<>]=?)(\S+) has no wheels with a matching platform tag"
)
_PLATFORMS = re.compile(
    r"Wheels are available for `(\S+)` \(v?(\S+)\) on the following platforms?: (.*?)(?: hint:|$)"
)
_MISSING = re.compile(r"Because (?:there are no versions of )?(\S+) was not found in the")
_BUILD = re.compile(r"[Ff]ailed to (?:download and )?build `?([^`\s]+)`?")
_SYNTAX = re.compile(
    r"Couldn't parse requirement in `[^`]*` at position \d+ cause: (.*?)(?: \^+)?$"
)
_ABSENT = re.compile(r"(?:Distribution not found at|failed to open file)[: `]+(?:file://)?(\S+)")
_ONLY = re.compile(r"only (\S+) (?:is|are) available and .*?(?:you require|depends on) ([^\s,]+)")
_NONE = re.compile(r"there (?:is no version|are no versions) of (\S+) and you require")
_BECAUSE = re.compile(r"cause: Because (.*?)(?:, we can conclude|$)")


def explained(said: str, python: Python) -> tuple[str, str]:
    """(what is wrong, what to do) for uv's words."""
    flat = " ".join(said.split())
    machine = shared.tag().partition("-")[0]
    other = "choose another version of it, or another package"
    if found := _MISSING.search(flat):
        return f"{found[1]}: the package index has no such package", "is the name right?"
    if found := _SYNTAX.search(flat):
        return f"no requirement: {found[1]}", "write it as NAME, NAME==1.2 or NAME>=1.2"
    if found := _ABSENT.search(flat):
        return f"{found[1]}: no such file", "paths are relative to the file that names them"
    if found := _BUILD.search(flat):
        return (
            f"{found[1].replace('==', ' ')} has no wheel for CPython {python.series} on {machine}, and its source"
            f" needs a compiler{_why(said)}",
            "choose a version with such a wheel, or build one and name it in the requirements: ./NAME.whl",
        )
    # The package that is refused for its platform is the newest one; older ones are refused for their Python.
    if found := _PLATFORMS.search(flat):
        return _platform(found[1], found[2], found[3].replace("`", ""), machine)
    if found := _ABIS.search(flat):
        only = found[3].replace("`", "")
        return (
            f"{found[1]} {found[2]} has no wheel for CPython {python.series}, only for {only}",
            other,
        )
    if found := _ABI.search(flat):
        return f"{found[1]} {found[2]} has no wheel for CPython {python.series}", other
    if found := _PLATFORM.search(flat):
        return f"{found[1]} {found[2]} has no wheel for {_box(machine)}", other
    if found := _ONLY.search(flat):
        return (
            f"{found[2]} does not exist: there is only {found[1]}",
            "choose a version that exists",
        )
    if found := _NONE.search(flat):
        return f"there is no such version: {found[1]}", "choose a version that exists"
    if found := _BECAUSE.search(flat):
        return found[1], "change what you require of these"
    text = flat.removeprefix("error: ")[:400]
    return text or "uv failed without a word", "is it right as it stands in the requirements?"


def _box(machine: str) -> str:
    has = ".".join(str(number) for number in shared.version())
    return f"{machine} with the C library {has}"


def _platform(name: str, version: str, platforms: str, machine: str) -> tuple[str, str]:
    """What is wrong with a package that has no wheel for the box's platform."""
    wants = [number for tag in platforms.split(", ") if (number := _glibc(tag, machine))]
    if wants and min(wants) > shared.version():
        least = ".".join(str(number) for number in min(wants))
        has = ".".join(str(number) for number in shared.version())
        return (
            f"{name} {version} needs the C library {least}, and the box has {has}",
            "choose an older version of it, or build on a newer distribution",
        )
    return (
        f"{name} {version} has wheels for {platforms}, and none for {_box(machine)}",
        "choose another version of it, or another package",
    )


def _glibc(tag: str, machine: str) -> tuple[int, ...]:
    """The C library that a manylinux tag of this machine asks for; () for any other tag."""
    match = re.fullmatch(rf"manylinux_(\d+)_(\d+)_{machine}", tag.strip())
    return (int(match[1]), int(match[2])) if match else ()


def _why(said: str) -> str:
    """The last words of a build that failed, if they say something."""
    for line in reversed(said.splitlines()):
        text = line.strip()
        if re.match(r"(error|fatal error|\w+Error): .", text):
            return f" ({text[:160]})"
    return ""
