"""Programs of the host's that a box could not run are refused before it has them, with the cure."""

from __future__ import annotations

import platform
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from snakeroot import config, executable
from snakeroot.host import BuildError

from tests.packaging.snakeroot.test_config import GOOD

X86, ARM = 62, 183


def elf(
    machine: int = X86,
    kind: int = 2,
    interpreter: bytes = b"",
    ident: bytes = b"\x7fELF\2\1\1",
) -> bytes:
    """An ELF header, one segment, and perhaps the name of a loader."""
    count = 1 if interpreter else 0
    head = ident.ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0
    )
    name = interpreter + b"\0"
    return head + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(name), len(name), 1) + name


ROWS: list[tuple[bytes, str]] = [
    (elf(), ""),
    (elf(kind=3), ""),  # static, at any address
    (elf(interpreter=b"/lib/there.so"), ""),
    (elf(interpreter=b"/lib64/ld-linux-x86-64.so.2"), ""),  # what it loads is found in binaries.py
    (elf(ARM), "is a program for aarch64, and the box is x86_64: build it for x86_64"),
    (elf(243), "is a program for RISC-V, and"),
    (elf(9999), "is a program for ELF machine 9999, and"),
    (elf(3, ident=b"\x7fELF\1\1\1"), "is a program for x86 of 32 bits, and"),
    (elf(X86, ident=b"\x7fELF\1\1\1"), "is a program for x86_64, and"),  # x32
    (elf(ident=b"\x7fELF\2\2\1"), "is a program for"),
    (elf(ident=b"\x7fELF\7\7\1"), "is a damaged ELF file"),
    (elf(kind=1), "is no executable file (it was not linked)"),
    (elf(kind=4), "is no executable file"),
    (b"", "is an empty file: name a program for x86_64"),
    (b"MZ\x90", "is neither an ELF file nor a script"),
    (b"#!/bin/sh\necho\n", ""),
    (b"#! /bin/sh -e\necho\n", ""),
    (b"#!/usr/bin/env sh\n", ""),
    (b"#!/usr/bin/env -S FOO=1 sh -e\n", ""),
    (b"#!/bin/bash\n", "is a script for /bin/bash, which is not in the image: write it for /bin/sh"),
    (b"#!/usr/bin/env bash\n", "is a script for bash, which is not in the image"),
    (b"#!/usr/bin/env\n", "is a script for nothing, which"),
    (b"#!\n", "is a script that names no interpreter"),
    (b"#!/bin/b\xff\n", "is a script for /bin/b"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words"), ROWS)
def test_what_a_box_could_not_run_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "program"
    path.write_bytes(data)
    path.chmod(0o755)
    there = {"/bin/sh", "/usr/bin/env", "/lib/there.so"}.__contains__
    said = executable.problem(path, there, "x86_64")
    assert (words in said) if words else said == ""
    assert said.startswith("is ") or not said
    path.chmod(0o644)
    said = executable.problem(path, there, "x86_64")
    assert (words in said) if words else said == f"has no execute permission: chmod +x {path}"


def test_each_byte_of_a_header_may_be_anything(tmp_path: Path) -> None:
    path, good = tmp_path / "program", elf(interpreter=b"/lib/x")
    path.touch(0o755)
    for at in range(len(good)):
        for value in (0, 1, 0x7F, 0xFF):
            path.write_bytes(good[:at] + bytes([value]) + good[at + 1 :])
            executable.problem(path, lambda path: True, "x86_64")
        path.write_bytes(good[:at])
        executable.problem(path, lambda path: True, "x86_64")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello").mkdir()
    (tmp_path / "snakeroot.toml").write_text(GOOD)
    return tmp_path


def test_check_refuses_what_the_box_could_not_run(folder: Path) -> None:
    program = folder / "program"
    program.touch(0o755)
    program.write_bytes(elf(ARM if platform.machine() == "x86_64" else X86))
    with pytest.raises(BuildError, match=r":9: 'program' is a program for .*: build it for"):
        config.load(folder)
    program.write_text("#!/usr/bin/env python3\n")
    config.load(folder)
    program.write_text("#!/usr/bin/perl\n")
    with pytest.raises(BuildError, match="'program' is a script for /usr/bin/perl"):
        config.load(folder)
    (folder / "perl").write_bytes(elf())
    with (folder / "snakeroot.toml").open("a") as file:
        file.write('[files]\n"/usr/lib/perl" = "perl"\n"/usr/bin/awk" = "perl"\n')
    for path in ("/usr/lib/perl", "/usr/bin/awk", "/bin/awk", "/sbin/sh"):
        program.write_text(f"#!{path}\n")
        config.load(folder)


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_a_program_of_a_real_compiler_is_good(folder: Path) -> None:
    (folder / "x.c").write_text("int main(void) { return 0; }\n")
    for how in ("-static", "-static-pie", "-pie"):
        words = ["gcc", how, "-o", folder / "program", folder / "x.c"]
        subprocess.run(words, check=True)
        config.load(folder)
