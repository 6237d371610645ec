"""./dev wheel: one file for pip that holds all that makes and runs boxes, so that its user needs no compiler.

The builder, the toolbox and the applets as Python code; the frozen programs as commands of the environment that it is
installed in (`toolbox` there is the static file itself); the first stage and GRUB's script as data of the builder.
Same inputs, same bytes.
Source: PyPA's binary distribution format and core metadata 2.4.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import stat
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from packaging.metadata import Metadata, RawMetadata
from snakeroot import first_stage, shipped
from snakeroot.host import BuildError, fresh, step

from workbench.making import BUILD, ROOT

#: Package -> where its files are.
PACKAGES = {
    "toolbox": ROOT / "toolbox",
    "applets": ROOT / "applets",
    "snakeroot": ROOT / "packaging" / "snakeroot",
}

#: Zip's first day: a wheel does not tell when it was made.
TIME = (1980, 1, 1, 0, 0, 0)

#: What a program or a file may be done with.
PROGRAM, FILE = 0o755, 0o644

#: A file's name in the wheel -> its bytes and its mode.
Files = dict[str, tuple[bytes, int]]


def make(programs: Path, folder: Path) -> Path:
    """Write the wheel into a folder, and return its path.

    programs: the folder with the frozen programs
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name = f"{project['name']}-{project['version']}"
    # The static programs run with any C library or none.  The dynamic one runs in a box, with the distribution's,
    # and the builder says so when that is too old: no reason to refuse the whole wheel.
    tag = f"py3-none-linux_{platform.machine()}"
    files = _code()
    for program in shipped.PROGRAMS:
        path = programs / program
        if not path.is_file():
            raise BuildError(f"{path}: not there", "make it: ./dev build")
        files[f"{name}.data/scripts/{program}"] = path.read_bytes(), PROGRAM
    data = f"snakeroot/{shipped.DATA.name}"
    files[f"{data}/{shipped.FIRST_STAGE}"] = first_stage.program(), FILE
    files[f"{data}/{shipped.GRUB_SCRIPT}"] = shipped.grub_script().encode(), FILE
    info = f"{name}.dist-info"
    for license_file in project["license-files"]:
        files[f"{info}/licenses/{license_file}"] = (ROOT / license_file).read_bytes(), FILE
    commands = {**project["scripts"]}
    del commands["toolbox"]  # the static file
    lines = ["[console_scripts]", *(f"{word} = {place}" for word, place in commands.items())]
    files[f"{info}/entry_points.txt"] = "".join(f"{line}\n" for line in lines).encode(), FILE
    files[f"{info}/METADATA"] = _metadata(project), FILE
    about = f"Wheel-Version: 1.0\nGenerator: snakeroot\nRoot-Is-Purelib: false\nTag: {tag}\n"
    files[f"{info}/WHEEL"] = about.encode(), FILE
    made = folder / f"{name}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    _write(files, f"{info}/RECORD", made)
    return made


def _code() -> Files:
    """The packages, with the templates, but for what Python or an editor left there."""
    found: Files = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*"):
            name = path.relative_to(folder)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
            if path.is_file() and not hidden and path.suffix != ".so":
                mode = PROGRAM if path.stat().st_mode & stat.S_IXUSR else FILE
                found[f"{package}/{name}"] = path.read_bytes(), mode
    return found


def _metadata(project: dict[str, Any]) -> bytes:
    raw: RawMetadata = {
        "metadata_version": "2.4",
        "name": project["name"],
        "version": project["version"],
        "summary": project["description"],
        "license_expression": project["license"],
        "license_files": project["license-files"],
        "requires_python": project["requires-python"],
        "requires_dist": project["dependencies"],
        "description_content_type": "text/markdown",
        "description": (ROOT / project["readme"]).read_text(),
    }
    return Metadata.from_raw(raw).as_rfc822().as_bytes()


def _write(files: Files, record: str, target: Path) -> None:
    """Write the archive, sorted, the metadata last, as installers like it."""
    last = record.partition("/")[0]
    lines = []
    with (
        fresh(target, private=False) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in sorted(files, key=lambda name: (name.startswith(last), name)):
            data, mode = files[name]
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(data)}\n")
            _add(archive, name, data, mode)
        _add(archive, record, "".join([*lines, f"{record},,\n"]).encode(), FILE)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, mode: int) -> None:
    entry = zipfile.ZipInfo(name, TIME)
    entry.external_attr = (stat.S_IFREG | mode) << 16
    entry.create_system = 3  # Unix, whose modes these are
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)


def main() -> int:
    """Make build/snakeroot-VERSION-TAG.whl, and print its path."""
    try:
        with step("wheel"):
            made = make(BUILD, BUILD)
    except BuildError as error:
        print(f"dev: {error}\n  {error.hint}", file=sys.stderr)
        return 1
    print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
