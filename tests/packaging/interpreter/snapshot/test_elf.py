"""What the file promises: no page is writable and executable, addresses are random where they can be, no secrets."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

LOAD, STACK, RELRO = 1, 0x6474E551, 0x6474E552  # elf(5): PT_LOAD, PT_GNU_STACK, PT_GNU_RELRO
EXECUTE, WRITE = 1, 2

MAPS = "print(open('/proc/self/maps').read())"


def segments(program: Path) -> list[tuple[int, int, int, int]]:
    """(type, flags, address, size) for each row of the table of segments."""
    data = program.read_bytes()
    offset = struct.unpack_from("<Q", data, 32)[0]
    size, count = struct.unpack_from("<HH", data, 54)
    rows = [struct.unpack_from("<IIQQQQQQ", data, offset + i * size) for i in range(count)]
    return [(row[0], row[1], row[3], row[6]) for row in rows]


def test_no_segment_is_writable_and_executable(snapshot: Path) -> None:
    rows = segments(snapshot)
    flags = [flags for kind, flags, _, _ in rows if kind in (LOAD, STACK)]
    assert any(one & EXECUTE for one in flags) and any(one & WRITE for one in flags)
    assert not [one for one in flags if one & EXECUTE and one & WRITE]
    assert [one & EXECUTE for kind, one, _, _ in rows if kind == STACK] == [0]


def test_relocated_data_is_read_only(snapshot: Path, run: Callable[..., str]) -> None:
    """The segment RELRO is there, and the C library has protected it at the start."""
    [(address, size)] = [(row[2], row[3]) for row in segments(snapshot) if row[0] == RELRO]
    page = address + size - 1
    for line in run(snapshot, MAPS).splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
        if match and int(match[1], 16) <= page < int(match[2], 16):
            assert match[3] == "r--p"
            return
    raise AssertionError("RELRO is not mapped")


@pytest.mark.parametrize(
    "code",
    [
        "",
        "import ssl, sqlite3, asyncssh, ctypes; hash(ssl.create_default_context())\n",
        "import threading; t = threading.Thread(target=exec, args=('pass',)); t.start(); t.join()\n",
    ],
)
def test_no_page_is_writable_and_executable(
    snapshot: Path, run: Callable[..., str], code: str
) -> None:
    modes = [line.split()[1] for line in run(snapshot, code + MAPS).splitlines() if line]
    assert any("x" in mode for mode in modes)
    assert not [mode for mode in modes if "x" in mode and "w" in mode]


def test_addresses_differ(snapshot: Path, run: Callable[..., str]) -> None:
    """The stack, mmap's and brk's areas; those of the program and its image cannot."""
    code = "import mmap; keep = mmap.mmap(-1, 1 << 20)\n" + MAPS
    seen: dict[str, set[str]] = {"[stack]": set(), "[heap]": set(), "[vdso]": set(), "mmap": set()}
    for _ in range(8):
        for line in run(snapshot, code).splitlines():
            words = line.split()
            if len(words) > 5 and words[5] in seen:
                seen[words[5]].add(words[0])
            elif "/dev/zero" in line:  # a shared map without a file
                seen["mmap"].add(words[0])
    for name, addresses in seen.items():
        assert len(addresses) >= 6, name


def test_no_secrets_in_the_file(snapshot: Path) -> None:
    """No private key, and nothing random: the recorder's random bytes are all the same (outside.c), and not there."""
    data = snapshot.read_bytes()
    for kind in (b"", b"RSA ", b"EC ", b"OPENSSH ", b"ENCRYPTED "):
        # Libraries have the lines' text, but no key has a body after it.
        assert not re.search(
            rb"-----BEGIN " + kind + rb"PRIVATE KEY-----\r?\n[A-Za-z0-9+/=]{40}", data
        )
    assert b"\x5a" * 16 not in data.replace(b"\x5a" * 256, b"")


def test_no_authkey(snapshot: Path, run: Callable[..., str]) -> None:
    """multiprocessing's secret is made when it is imported, in each process."""
    code = "import multiprocessing as m; print(bytes(m.current_process().authkey).hex())"
    keys = {run(snapshot, code) for _ in range(3)}
    assert len(keys) == 3
    data = snapshot.read_bytes()
    assert not [key for key in keys if bytes.fromhex(key) in data]


def test_nothing_of_the_building_machine(snapshot: Path) -> None:
    data = snapshot.read_bytes()
    host = Path("/proc/sys/kernel/hostname").read_text().strip().encode()
    release = Path("/proc/sys/kernel/osrelease").read_text().strip().encode()
    assert not [word for word in (host, release) if len(word) > 6 and word in data]


def test_size_in_the_file(snapshot: Path) -> None:
    """Zeros at the ends of the image's parts take no room."""
    size = snapshot.stat().st_size
    loaded = sum(row[3] for row in segments(snapshot) if row[0] == LOAD)
    assert size < 100 << 20 and loaded < 400 << 20
    assert subprocess.run([snapshot, "true"], check=False).returncode == 0
