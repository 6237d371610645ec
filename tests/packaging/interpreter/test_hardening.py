"""The program's C guards its stack and checks sizes.

They break when a part is compiled without these flags: a Makefile that has its own, a compiler with other defaults.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

#: Functions with an array on the stack that others' data goes into: of OpenSSL, CPython, cffi and ourselves.
GUARDED = (
    *("BIO_dump_indent_cb", "tls1_setup_key_block", "sock_recvmsg_guts", "getsockaddrarg"),
    *("convert_to_object", "snapshot_restore"),
)

#: What checks sizes: functions of the C library that compilers call in place of others.
CHECKED = ("__memcpy_chk", "__fprintf_chk", "__fdelt_chk")


@pytest.fixture(scope="module")
def symbols() -> list[tuple[int, str]]:
    """(address, name) of the program's symbols, in order."""
    rows = map(str.split, (ROOT / "build/toolbox.symbols").read_text().splitlines())
    return [(int(row[0], 16), row[2]) for row in rows if len(row) == 3]


@pytest.mark.parametrize("name", GUARDED)
def test_a_function_with_an_array_has_a_canary(name: str, symbols: list[tuple[int, str]]) -> None:
    found = [i for i, (_, other) in enumerate(symbols) if re.fullmatch(rf"{name}(\..*)?", other)]
    assert found, "it has another name"
    for i in found:
        start = symbols[i][0]
        end = next(address for address, _ in symbols[i:] if address > start)
        words = ["objdump", "-d", f"--start-address={start:#x}", f"--stop-address={end:#x}"]
        code = subprocess.check_output([*words, ROOT / "build/toolbox"], text=True)
        if "%fs:0x28" in code:
            return
    pytest.fail(f"{name} does not look at the canary")


@pytest.mark.parametrize("name", CHECKED)
def test_sizes_are_checked(name: str, symbols: list[tuple[int, str]]) -> None:
    assert name in {other for _, other in symbols}
