"""Padding of Rust's values is told from fields by the compiler's debug information.

padding.rs writes values into memory that was full of something, whose padding then is what was there.  They break when
a field is taken for padding, or padding for a field; with whatever rustc this machine has.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from interpreter.snapshot import layouts

SOURCE = Path(__file__).with_name("padding.rs")


@pytest.fixture(scope="module", params=[4, 5])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program and its object file, whose debug information is of that version."""
    folder = tmp_path_factory.mktemp("padding")
    argv = ["rustc", "--edition=2021", "-Copt-level=3", "-Cdebuginfo=2", "-Ccodegen-units=1"]
    emit = f"--emit=link={folder}/program,obj={folder}/object"
    # The option's name before Rust 1.88, which a stable one obeys only if it is told to.
    version = f"-Zdwarf-version={request.param}"
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
    for option in (f"-Cdwarf-version={request.param}", version):
        done = subprocess.run(
            [*argv, option, emit, SOURCE], env=environment, capture_output=True, text=True
        )
        if done.returncode == 0:
            return folder
    pytest.fail(done.stderr)


def values(program: Path, fill: int) -> dict[str, bytes]:
    done = subprocess.run([program, "make", str(fill)], capture_output=True, text=True, check=True)
    return {name: bytes.fromhex(text) for name, text in map(str.split, done.stdout.splitlines())}


def test_padding_is_cleared_and_every_value_stays(built: Path) -> None:
    known = layouts.read((built / "object").read_bytes())
    program = built / "program"
    made = [values(program, fill) for fill in (0xAA, 0x55, 0)]
    nodes = {
        name: node
        for symbol, node in known.statics.items()
        for name in made[0]
        if re.search(rf"\d{name}(?:17h[0-9a-f]{{16}}E)?$", symbol)
    }
    assert nodes.keys() == made[0].keys()
    cleared: list[dict[str, bytes]] = []
    for one in made:
        cleared.append({})
        for name, data in one.items():
            assert layouts.size(nodes[name]) == len(data), name
            copy = bytearray(data)
            layouts.clear_padding(nodes[name], copy, 0)
            cleared[-1][name] = bytes(copy)
    assert cleared[0] == cleared[1] == cleared[2]
    assert any(one != made[0][name] for name, one in cleared[0].items()), "there was padding"
    lines = "".join(f"{name} {data.hex()}\n" for name, data in cleared[0].items())
    said = subprocess.run([program, "check"], input=lines, capture_output=True, text=True).stdout
    assert said == "".join(f"{name} true\n" for name in cleared[0])
