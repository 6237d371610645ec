"""depmod and modprobe on a tree of made-up modules.  Nothing is loaded into the host's kernel.

Breaks when ELF is read wrongly, when dependencies come in an order that cannot be loaded, or when modprobe.d
is not obeyed.
"""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

RELEASE = "6.1.0-test"


def module(information: dict[str, list[str]], symbols: tuple[str, ...] = ()) -> bytes:
    """A relocatable ELF file of 64 bits with .modinfo and the names of exported symbols."""
    modinfo = b"".join(f"{k}={v}".encode() + b"\0" for k, vs in information.items() for v in vs)
    strings = b"\0" + b"".join(f"{s}\0__ksymtab_{s}\0".encode() for s in symbols)
    names = b"\0.modinfo\0.strtab\0.shstrtab\0"
    contents = [b"", modinfo, strings, names]
    offsets, at = [], 64
    for content in contents:
        offsets.append(at)
        at += len(content)
    heads = b""
    for i, name in enumerate((b"", b".modinfo", b".strtab", b".shstrtab")):
        where = names.index(b"\0" + name + b"\0") + 1 if name else 0
        heads += struct.pack(
            "<IIQQQQIIQQ", where, int(i > 0), 0, 0, offsets[i], len(contents[i]), 0, 0, 1, 0
        )
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, 4, 3)
    return head + b"".join(contents) + heads


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with modules: top needs middle and low, middle needs low; one is compressed; one is built in."""
    kernel = tmp_path / "lib/modules" / RELEASE / "kernel"
    kernel.mkdir(parents=True)
    aliases = [
        "pci:v00001AF4d00001000sv*sd*bc*sc*i*",
        "net-pf-10",
        "devname:top",
        "char-major-10-200",
    ]
    (kernel / "top.ko").write_bytes(
        module(
            {"depends": ["mid-dle,low"], "alias": aliases, "softdep": ["pre: extra post: later"]}
        )
    )
    (kernel / "mid-dle.ko.xz").write_bytes(
        lzma.compress(module({"depends": ["low"]}, ("mid_work",)))
    )
    (kernel / "low.ko.gz").write_bytes(gzip.compress(module({"depends": [""]}, ("low_a", "low_b"))))
    (kernel / "extra.ko").write_bytes(module({"depends": [""], "alias": ["pci:v00001AF4d*"]}))
    (kernel / "later.ko").write_bytes(module({}))
    (kernel.parent / "modules.builtin").write_text("kernel/fs/solid.ko\n")
    (kernel.parent / "modules.builtin.modinfo").write_bytes(
        b"solid.alias=fs-solid\0solid.license=GPL\0"
    )
    (kernel.parent / "modules.order").write_text("kernel/low.ko\nkernel/top.ko\n")
    return tmp_path


@pytest.fixture
def modprobe(run, base) -> Callable[..., object]:
    return lambda *words: run("modprobe", "-d", str(base), "-S", RELEASE, *words)


@pytest.fixture
def indexed(run, base) -> Path:
    assert run("depmod", "-b", str(base), RELEASE) == (0, b"", b"")
    return base / "lib/modules" / RELEASE


def loads(result, base: Path) -> list[str]:
    """The names in the insmod lines."""
    assert result.status == 0, result.err
    lines = result.out.decode().splitlines()
    return [
        Path(line.split()[1]).name.partition(".")[0] for line in lines if line.startswith("insmod ")
    ]


def test_depmod_writes_kmods_files(indexed) -> None:
    assert (indexed / "modules.dep").read_text() == (
        "kernel/low.ko.gz:\n"
        "kernel/top.ko: kernel/mid-dle.ko.xz kernel/low.ko.gz\n"
        "kernel/extra.ko:\n"
        "kernel/later.ko:\n"
        "kernel/mid-dle.ko.xz: kernel/low.ko.gz\n"
    )
    assert "alias net-pf-10 top\n" in (indexed / "modules.alias").read_text()
    symbols = (indexed / "modules.symbols").read_text().splitlines()
    assert symbols[1:] == [
        "alias symbol:low_a low",
        "alias symbol:low_b low",
        "alias symbol:mid_work mid_dle",
    ]
    assert "softdep top pre: extra post: later\n" in (indexed / "modules.softdep").read_text()
    assert (indexed / "modules.devname").read_text().splitlines()[1:] == ["top top c10:200"]


def test_depmod_elsewhere_and_to_standard_output(run, base, tmp_path) -> None:
    out = run("depmod", "-n", "-b", str(base), RELEASE).out
    assert out.startswith(b"kernel/low.ko.gz:\n")
    assert not (base / "lib/modules" / RELEASE / "modules.dep").exists()
    assert run("depmod", "-b", str(base), "-o", str(tmp_path / "o"), RELEASE).status == 0
    assert (tmp_path / "o/lib/modules" / RELEASE / "modules.dep").exists()
    r = run("depmod", "-b", "/nowhere", RELEASE)
    assert (r.status, r.err.startswith(b"depmod: could not open directory")) == (1, True)


@pytest.mark.parametrize(
    "image", [b"", b"\x7fELF", b"\x7fELF" + b"\xff" * 100, module({})[:200], b"#!/bin/sh\n"]
)
def test_a_broken_module_is_named(run, base, image) -> None:
    (base / "lib/modules" / RELEASE / "kernel/bad.ko").write_bytes(image)
    r = run("depmod", "-b", str(base), RELEASE)
    assert r.status == 1
    assert b"bad.ko: " in r.err
    assert b"Traceback" not in r.err


def test_missing_and_circular_dependencies_are_warned_of(run, base) -> None:
    kernel = base / "lib/modules" / RELEASE / "kernel"
    (kernel / "a.ko").write_bytes(module({"depends": ["b,gone"]}))
    (kernel / "b.ko").write_bytes(module({"depends": ["a"]}))
    r = run("depmod", "-e", "-b", str(base), RELEASE)
    assert r.status == 0
    assert b"a needs gone, which is not there" in r.err
    assert b"need each other" in r.err


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("top", ["low", "mid-dle", "extra", "top", "later"]),
        ("mid_dle", ["low", "mid-dle"]),
        ("mid-dle", ["low", "mid-dle"]),
        ("net-pf-10", ["low", "mid-dle", "extra", "top", "later"]),
        ("pci:v00001AF4d00001000sv1sd2bc3sc4i5", ["low", "mid-dle", "extra", "top", "later"]),
        ("symbol:low_b", ["low"]),
    ],
)
def test_what_is_loaded_and_in_which_order(modprobe, indexed, base, name, names) -> None:
    assert loads(modprobe("-D", name), base) == names


def test_without_depmod_the_modules_are_read(modprobe, base) -> None:
    assert loads(modprobe("-D", "top"), base) == ["low", "mid-dle", "extra", "top", "later"]


def test_built_in_unknown_and_quiet(modprobe, indexed) -> None:
    assert modprobe("solid") == (0, b"", b"")
    assert modprobe("-D", "fs-solid").out == b"builtin solid\n"
    r = modprobe("nothing")
    assert r.status == 1
    assert r.err.startswith(b"modprobe: FATAL: Module nothing not found in directory ")
    assert modprobe("-q", "nothing") == (1, b"", b"")
    assert modprobe("-R", "net-pf-10").out == b"top\n"
    assert modprobe().status == 1


CONFIGURATION = """\
# comment
alias card top
alias eth* low
options low speed=9 \\
  mode=fast
options mid-dle x=1
blacklist extra
install later echo instead of $CMDLINE_OPTS
softdep low pre: later
"""


def test_modprobe_d(modprobe, indexed, base) -> None:
    folder = base / "etc/modprobe.d"
    folder.mkdir(parents=True)
    (folder / "box.conf").write_text(CONFIGURATION)
    (folder / "box.conf~").write_text("nonsense")
    path = base / "lib/modules" / RELEASE / "kernel"
    out = modprobe("-D", "eth0", "more=2").out.decode().splitlines()
    assert out == ["install echo instead of ", f"insmod {path}/low.ko.gz speed=9 mode=fast more=2"]
    # A blacklisted module is loaded when it is named, not by an alias, and not at all with -b.
    assert b"extra" not in modprobe("-D", "pci:v00001AF4d0000").out
    assert b"extra.ko" in modprobe("-D", "extra").out
    assert modprobe("-b", "-D", "extra") == (0, b"", b"")
    assert modprobe("-i", "-D", "later").out.decode() == f"insmod {path}/later.ko \n"
    assert modprobe("later", "a=b").out == b"instead of a=b\n"
    (folder / "box.conf").write_text("install later exit 3\n")
    assert modprobe("later").status == 1
    assert b"install later exit 3\n" in modprobe("-c").out


def test_a_dry_run_says_what_it_would_do(modprobe, indexed, base) -> None:
    assert loads(modprobe("-n", "-v", "-a", "low", "extra"), base) == ["low", "extra"]


def test_removing_what_is_not_loaded(run, modprobe, indexed) -> None:
    assert modprobe("-r", "top").status == 0
    assert modprobe("-r", "--first-time", "top").status == 1
    r = run("rmmod", "no_such_module")
    assert (r.status, r.err) == (
        1,
        b"rmmod: ERROR: Module no_such_module is not currently loaded\n",
    )


def test_insmod_of_no_module(run, tmp_path) -> None:
    r = run("insmod", str(tmp_path / "x.ko"))
    assert r.status == 1
    assert r.err.endswith(b"x.ko: No such file or directory\n")
    (tmp_path / "x.ko").write_bytes(b"x")
    r = run("insmod", str(tmp_path / "x.ko"))
    assert (r.status, r.err.startswith(b"insmod: ERROR: could not insert module ")) == (1, True)
    assert run("insmod").status == 1


def test_lsmod(run) -> None:
    r = run("lsmod")
    assert r.out.startswith(b"Module                  Size  Used by\n") or b"/proc/modules" in r.err
