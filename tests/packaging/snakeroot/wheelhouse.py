"""A package index in a folder, with wheels and source archives made here, so that no test needs the network."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

#: The header of a shared library for x86_64; nothing else is in it.
LIBRARY = struct.pack("<6sBB8xHHI", b"\x7fELF\x02\x01", 1, 0, 3, 62, 1).ljust(64, b"\0")

#: A build backend that stands in the archive itself: it compiles, and where it cannot it does what `failure` says.
BACKEND = """
import os, subprocess, sys, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    compiled = subprocess.run([os.environ.get("CC", "gcc"), "--version"], capture_output=True).returncode == 0
    {failure}
    tag = f"cp{{sys.version_info[0]}}{{sys.version_info[1]}}"
    name = "{name}-{version}-" + f"{{tag}}-{{tag}}-linux_" + os.uname().machine + ".whl"
    info = "{name}-{version}.dist-info"
    files = {{
        "{name}.py": "import sys",
        info + "/METADATA": "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
        info + "/WHEEL": "Wheel-Version: 1.0\\nGenerator: setuptools\\nRoot-Is-Purelib: false\\nTag: " + name[:-4] + "\\n",
        info + "/RECORD": "",
    }}
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for member, text in files.items():
            wheel.writestr(member, text)
    return name
"""


class Index:
    """uv resolves from `folder` alone."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        for name in [name for name in os.environ if name.startswith("UV_")]:
            monkeypatch.delenv(name)  # which may name an index
        settings = folder.parent / "uv.toml"
        settings.write_text(f'no-index = true\nfind-links = ["{folder}"]\n')
        monkeypatch.setenv("UV_CONFIG_FILE", str(settings))
        monkeypatch.setenv("SNAKEROOT_CACHE", str(folder.parent / "cache"))

    def wheel(
        self,
        name: str,
        version: str = "1.0",
        *,
        tag: str = "py3-none-any",
        files: dict[str, str | bytes] | None = None,
        requires: tuple[str, ...] = (),
        generator: str = "setuptools (80)",
    ) -> Path:
        """Add a wheel; with no files it has one module of its name."""
        info = f"{name}-{version}.dist-info"
        lines = "".join(f"Requires-Dist: {line}\n" for line in requires)
        members = {
            **(files or {f"{name}.py": ""}),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: {generator}\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        members[f"{info}/RECORD"] = "".join(f"{m},,\n" for m in (*members, f"{info}/RECORD"))
        path = self.folder / f"{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in members.items():
                archive.writestr(member, text)
        return path

    def archive(self, name: str, version: str = "1.0", *, needs_compiler: bool = False) -> None:
        """Add a source archive of a package with a compiled part, which is optional unless it needs a compiler."""
        failure = 'assert compiled, "error: no compiler"' if needs_compiler else ""
        build = 'requires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        files = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n[build-system]\n{build}',
            "backend.py": BACKEND.format(name=name, version=version, failure=failure),
        }
        with tarfile.open(self.folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
            for member, text in files.items():
                entry = tarfile.TarInfo(f"{name}-{version}/{member}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
