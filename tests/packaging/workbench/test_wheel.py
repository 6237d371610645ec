"""./dev wheel: what is in it, and that it makes images where no compiler is.

They break when the wheel lacks a file that the builder reads, when the builder looks for something in a checkout that
is not there, calls a compiler, or when `toolbox` is anything but the static file.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from snakeroot import first_stage, needs, shipped
from snakeroot.cli import main
from snakeroot.host import BuildError
from workbench import wheel

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"

#: What compiles, assembles or links, under all its names.
COMPILERS = re.compile(
    r"(.*-)?(gcc|g\+\+|cc|c\+\+|cpp|clang|as|ld|rustc|cargo|make|c89|c99)([-.].*)?"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, of the programs that are built."""
    return wheel.make(BUILD, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def venv(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; what it requires is this environment's."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", made], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # Its own .pth files, and with them the checkout, don't count there.
    (site / "required.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture(scope="module")
def no_compilers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose PATH leads to all of this machine's programs but compilers."""
    folder = tmp_path_factory.mktemp("path")
    for place in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for program in Path(place).iterdir():
            link = folder / program.name
            if not COMPILERS.fullmatch(program.name) and not link.is_symlink():
                link.symlink_to(program)
    hidden = ("PYTHONPATH", shipped.VARIABLE)
    return {**{k: v for k, v in os.environ.items() if k not in hidden}, "PATH": str(folder)}


def test_its_contents(made: Path) -> None:
    assert re.fullmatch(r"snakeroot-[\d.]+-py3-none-linux_\w+\.whl", made.name)
    stem = "-".join(made.name.split("-")[:2])
    with zipfile.ZipFile(made) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
        modes = {one.filename: one.external_attr >> 16 & 0o777 for one in archive.infolist()}
    for name in shipped.PROGRAMS:
        there = f"{stem}.data/scripts/{name}"
        assert files[there] == (BUILD / name).read_bytes()
        assert modes[there] == 0o755
    assert files["snakeroot/data/first-stage"] == first_stage.program()
    for package, folder in wheel.PACKAGES.items():
        for path in folder.rglob("*.py"):
            if "__pycache__" not in path.parts:
                assert f"{package}/{path.relative_to(folder)}" in files
    assert modes["snakeroot/templates/static-site/serve"] == 0o755
    assert "snakeroot/templates/snakeroot.toml" in files
    assert not [name for name in files if "__pycache__" in name or name.endswith((".so", ".pyc"))]
    record = files.pop(f"{stem}.dist-info/RECORD").decode().splitlines()
    assert record.pop() == f"{stem}.dist-info/RECORD,,"
    listed = {line.rsplit(",", 2)[0]: line.rsplit(",", 2)[1:] for line in record}
    assert listed.keys() == files.keys()
    for name, (digest, size) in listed.items():
        sum_ = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).decode().rstrip("=")
        assert (digest, size) == (f"sha256={sum_}", str(len(files[name])))
    said = message_from_bytes(files[f"{stem}.dist-info/METADATA"])
    assert said["Name"] == "snakeroot"
    assert "tomlkit>=0.13" in (said.get_all("Requires-Dist") or [])


def test_same_inputs_same_bytes(made: Path, tmp_path: Path) -> None:
    assert wheel.make(BUILD, tmp_path).read_bytes() == made.read_bytes()


def test_without_the_programs_the_cure_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="toolbox: not there") as caught:
        wheel.make(tmp_path, tmp_path)
    assert "./dev build" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_toolbox_is_the_static_file(venv: Path) -> None:
    assert (venv / "bin/toolbox").read_bytes() == (BUILD / "toolbox").read_bytes()
    done = subprocess.run([venv / "bin/toolbox", "echo", "here"], capture_output=True, check=True)
    assert done.stdout == b"here\n"


def test_the_programs_are_found_where_target_moved_them(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", target, made], check=True)
    code = "from snakeroot import shipped; print(shipped.program())"
    hidden = {k: v for k, v in os.environ.items() if k != shipped.VARIABLE}
    found = subprocess.check_output(
        [sys.executable, "-c", code],
        env={**hidden, "PYTHONPATH": str(target)},
        cwd=tmp_path,
        text=True,
    )
    assert found == f"{target / 'bin/toolbox'}\n"


def test_it_makes_an_image_without_a_compiler(
    venv: Path, no_compilers: dict[str, str], tmp_path: Path
) -> None:
    def snakeroot(*words: str | Path) -> str:
        done = subprocess.run(
            [venv / "bin/snakeroot", *words],
            env=no_compilers,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    python = [venv / "bin/python", "-c", "import shutil, snakeroot; print(shutil.which('gcc'))"]
    where = "import snakeroot.shipped as s; print(s.__file__, s.program(), sep='\\n')"
    shown = subprocess.check_output(python, env=no_compilers, text=True)
    assert shown == "None\n"
    module, program = subprocess.check_output(
        [*python[:2], where], env=no_compilers, cwd=tmp_path, text=True
    ).splitlines()
    assert Path(module).is_relative_to(venv)
    assert program == str(venv / "bin/toolbox")
    assert snakeroot("doctor") == "nothing is missing\n"
    snakeroot("new", "box")
    snakeroot("-C", "box", "image", "-o", "box.img")
    assert (tmp_path / "box.img").stat().st_size > 32 << 20


def test_doctor_names_what_is_missing_and_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = {"no-such-squasher": "squash-tools", "no-such-formatter": "format-tools", "sh": "x"}
    monkeypatch.setattr(needs, "BOXES", lacking)
    monkeypatch.setattr(needs, "root", lambda: ["sudo"])
    monkeypatch.setattr(needs, "LISTS", "/etc/*")
    monkeypatch.setattr(shipped, "program", lambda: Path("/toolbox"))
    with open("/dev/null") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "no-such-squasher is missing: package squash-tools",
        "no-such-formatter is missing: package format-tools",
        "sudo apt-get update && "
        "sudo apt-get install --no-install-recommends format-tools squash-tools",
    ]


def test_doctor_installs_when_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called = []

    def run(argv: list[str]) -> bytes:
        called.append(argv)
        if "install" in argv:
            (tmp_path / "squasher").touch()
        return b""

    monkeypatch.setattr(needs, "BOXES", {str(tmp_path / "squasher"): "squash-tools"})
    monkeypatch.setattr(needs, "root", list)
    monkeypatch.setattr(needs, "LISTS", "/etc/*")
    monkeypatch.setattr(shipped, "program", lambda: Path("/toolbox"))
    monkeypatch.setattr("snakeroot.commands.doctor.run", run)
    monkeypatch.setattr("shutil.which", lambda *words, **more: "/usr/bin/apt-get")
    assert main(["doctor", "--yes"]) == 0
    assert [argv[-1] for argv in called] == ["update", "-a", "squash-tools"]
    assert all(argv[:2] == ["env", "DEBIAN_FRONTEND=noninteractive"] for argv in called)


def test_an_installation_without_its_data_names_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `pip install .` of a checkout makes one."""
    monkeypatch.delenv(shipped.VARIABLE, raising=False)
    monkeypatch.setattr(shipped, "SOURCES", tmp_path / "none")
    monkeypatch.setattr(shipped, "DATA", tmp_path / "data")
    monkeypatch.setattr(shipped, "_installed", lambda name: tmp_path / name)
    for get in (shipped.program, first_stage.program, shipped.grub_script):
        with pytest.raises(BuildError) as caught:
            get()
        assert "./dev wheel" in caught.value.hint
