"""depmod, modprobe, insmod, rmmod, lsmod on trees made by hand; nothing is put into the kernel.

Breaks when a dependency, alias, soft dependency or line of modprobe.d is lost, or when the text files
differ from kmod's.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.applets.modutils.kernel_tree import VERSION, module, tree

Modprobe = Callable[..., tuple[int, list[str], str]]

CONFIG = """\
# a comment
alias mynet mid-dle
alias foo-* base
alias also last
options mid_dle debug=1
options mid-dle \\
  mode="a b"
options mynet x=9
install last /bin/echo CMD $CMDLINE_OPTS
softdep base post: first_soft
blacklist first_soft
alias to-first first_soft
nonsense here
"""


@pytest.fixture(params=["modules.dep", "no modules.dep"])
def modprobe(run, tmp_path: Path, request) -> Modprobe:
    """Run modprobe on the tree, with and without depmod's files; (status, lines without the folder, errors)."""
    folder = tree(tmp_path)
    if request.param == "modules.dep":
        assert run("depmod", "-b", str(tmp_path), VERSION).status == 0
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "a.conf").write_text(CONFIG)
    (conf / "ignored.txt").write_text("install base /bin/false\n")

    def call(*argv: str) -> tuple[int, list[str], str]:
        words = ("-C", str(conf), "-d", str(tmp_path), "-S", VERSION, *argv)
        result = run("modprobe", *words)
        lines = result.out.decode().replace(f"{folder}/kernel/", "").splitlines()
        return result.status, [line.rstrip() for line in lines], result.err.decode()

    return call


def test_depmod_writes_what_kmod_writes(run, tmp_path: Path) -> None:
    folder = tree(tmp_path)
    result = run("depmod", "-b", str(tmp_path), VERSION)
    assert (result.status, result.out, result.err) == (0, b"", b"")
    assert (folder / "modules.dep").read_text() == (
        "kernel/lib/base.ko:\n"
        "kernel/net/first_soft.ko:\n"
        "kernel/net/last.ko:\n"
        "kernel/net/mid-dle.ko.xz: kernel/lib/base.ko\n"
        "kernel/net/top.ko.gz: kernel/net/mid-dle.ko.xz kernel/lib/base.ko\n"
    )
    assert (folder / "modules.alias").read_text() == (
        "# Aliases extracted from modules themselves.\n"
        "alias acpi*:X-1:* first_soft\n"
        "alias pci:v00008086d*sv*sd*bc02sc00i* last\n"
        "alias net-pf-77 mid_dle\n"
        "alias pci:v00001AF4d*sv*sd*bc02sc00i* top\n"
        "alias char-major-10-200 top\n"
        "alias devname:net/top-node top\n"
    )
    assert (folder / "modules.softdep").read_text() == (
        "# Soft dependencies extracted from modules themselves.\n"
        "softdep top pre: first-soft post: last\n"
    )
    assert (folder / "modules.symbols").read_text() == (
        "# Aliases for symbols, used by symbol_request().\n"
        "alias symbol:base_get base\n"
        "alias symbol:base_put base\n"
        "alias symbol:middle_do mid_dle\n"
    )
    assert (folder / "modules.devname").read_text() == (
        "# Device nodes to trigger on-demand module loading.\ntop net/top-node c10:200\n"
    )


def test_depmod_shows_and_writes_elsewhere(run, tmp_path: Path) -> None:
    folder = tree(tmp_path)
    shown = run("depmod", "-n", "-b", str(tmp_path), VERSION)
    assert shown.out.startswith(b"kernel/lib/base.ko:\n")
    assert not (folder / "modules.dep").exists()
    assert run("depmod", "-b", str(tmp_path), "-o", str(tmp_path / "o"), VERSION).status == 0
    assert (tmp_path / "o/lib/modules" / VERSION / "modules.dep").exists()
    assert not (folder / "modules.dep").exists()


def test_depmod_quick_writes_only_when_something_is_newer(run, tmp_path: Path) -> None:
    folder = tree(tmp_path)
    assert run("depmod", "-A", "-b", str(tmp_path), VERSION).status == 0
    written = (folder / "modules.dep").stat().st_ino
    assert run("depmod", "-A", "-b", str(tmp_path), VERSION).status == 0
    assert (folder / "modules.dep").stat().st_ino == written
    (folder / "kernel/lib/new.ko").write_bytes(module())
    assert run("depmod", "-A", "-b", str(tmp_path), VERSION).status == 0
    assert "kernel/lib/new.ko:" in (folder / "modules.dep").read_text()


def test_depmod_names_unknown_symbols(run, tmp_path: Path) -> None:
    tree(tmp_path)
    system_map = tmp_path / "System.map"
    system_map.write_text("ffffffff81000000 T base_other\n")
    words = ("depmod", "-n", "-e", "-F", str(system_map), "-b", str(tmp_path), VERSION)
    assert b"top.ko.gz needs unknown symbol printk" in run(*words).err
    system_map.write_text("ffffffff81000000 T printk\n")
    assert run(*words).err == b""


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.ko", b"", "no ELF file"),
        ("text.ko", b"hello " * 20, "no ELF file"),
        ("cut.ko", module("license=GPL", gives=["a"])[:200], "ELF structure is broken"),
        ("cut.ko.xz", lzma.compress(module())[:60], "its compressed data is cut"),
        ("bad.ko.gz", b"not gzip", "Error -3 while decompressing"),
        ("new.ko.zst", b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    ],
)
def test_depmod_passes_over_a_broken_module(
    run, tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    folder = tree(tmp_path)
    (folder / "kernel/lib" / name).write_bytes(data)
    result = run("depmod", "-b", str(tmp_path), VERSION)
    assert result.status == 1
    assert f"{name}: not a kernel module ({words}".encode() in result.err
    assert result.err.count(b"\n") == 1
    assert "kernel/net/top.ko.gz:" in (folder / "modules.dep").read_text()


def test_depmod_refuses_a_circle(run, tmp_path: Path) -> None:
    folder = tree(tmp_path)
    (folder / "kernel/a.ko").write_bytes(module(gives=["a"], needs=["b"]))
    (folder / "kernel/b.ko").write_bytes(module(gives=["b"], needs=["a"]))
    result = run("depmod", "-b", str(tmp_path), VERSION)
    assert result.status == 1
    assert b"circle of dependencies" in result.err
    assert not (folder / "modules.dep").exists()


def test_depmod_prefers_updates(run, tmp_path: Path) -> None:
    folder = tree(tmp_path)
    (folder / "updates").mkdir()
    (folder / "updates/base.ko").write_bytes(module(gives=["base_get", "base_put"]))
    assert run("depmod", "-b", str(tmp_path), VERSION).status == 0
    text = (folder / "modules.dep").read_text()
    assert "kernel/net/mid-dle.ko.xz: updates/base.ko\n" in text
    assert "kernel/lib/base.ko" not in text


@pytest.mark.parametrize(
    ("argv", "words"),
    [(["nover"], b"bad version passed: nover"), (["9.9"], b"could not open directory")],
)
def test_depmod_errors(run, tmp_path: Path, argv: list[str], words: bytes) -> None:
    result = run("depmod", "-b", str(tmp_path), *argv)
    assert result.status == 1
    assert words in result.err


BASE = ["insmod lib/base.ko"]
MIDDLE = 'insmod net/mid-dle.ko.xz debug=1 mode="a b"'
SOFT = "insmod net/first_soft.ko"


@pytest.mark.parametrize(
    ("argv", "status", "lines"),
    [
        ("-D base", 0, [*BASE, SOFT]),
        ("-D mid-dle", 0, [*BASE, SOFT, MIDDLE]),
        ("-D mid_dle level=3", 0, [*BASE, SOFT, f"{MIDDLE} level=3"]),
        ("-D mynet", 0, [*BASE, SOFT, f"{MIDDLE} x=9"]),
        ("-D foo-anything", 0, [*BASE, SOFT]),
        ("-D net-pf-77", 0, [*BASE, SOFT, MIDDLE]),
        ("-n -v mid-dle", 0, [*BASE, SOFT, MIDDLE]),
        ("-n mid-dle", 0, []),
        ("-D last a=1", 0, ["install /bin/echo CMD $CMDLINE_OPTS a=1"]),
        ("-i -D last a=1", 0, ["insmod net/last.ko a=1"]),
        (
            "-D pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00",
            0,
            [*BASE, SOFT, MIDDLE, "insmod net/top.ko.gz", "install /bin/echo CMD $CMDLINE_OPTS"],
        ),
        ("-a -D base last", 0, [*BASE, SOFT, "install /bin/echo CMD $CMDLINE_OPTS"]),
        ("-D built_in", 0, ["builtin built_in"]),
        ("-D fs-built", 0, ["builtin built_in"]),
        ("built-in", 0, []),
        ("-D first-soft", 0, [SOFT]),
        ("-D to-first", 0, []),
        ("-b -D first-soft", 0, []),
        ("-R net-pf-77", 0, ["mid_dle"]),
        ("-R symbol:base_put", 0, ["base"]),
        ("-R acpi-device:X-1:Y", 0, ["first_soft"]),
        ("-n -v -r base", 0, ["rmmod base"]),
        ("-q nosuch", 1, []),
        ("last a=1", 0, ["CMD a=1"]),
    ],
)
def test_modprobe(modprobe: Modprobe, argv: str, status: int, lines: list[str]) -> None:
    assert modprobe(*argv.split())[:2] == (status, lines)


def test_modprobe_quotes_blanks(modprobe: Modprobe) -> None:
    assert modprobe("-D", "first-soft", "a=b c")[1] == [f'{SOFT} a="b c"']


def test_modprobe_not_found(modprobe: Modprobe, tmp_path: Path) -> None:
    status, lines, errors = modprobe("nosuch")
    where = tmp_path / "lib/modules" / VERSION
    assert (status, lines) == (1, [])
    assert f"modprobe: FATAL: Module nosuch not found in directory {where}\n" in errors
    status, lines, errors = modprobe("-a", "-D", "nosuch", "first-soft")
    assert (status, lines) == (1, [SOFT])
    assert "WARNING: Module nosuch not found" in errors


def test_modprobe_says_why_a_module_cannot_be_read(run, tmp_path: Path) -> None:
    folder = tree(tmp_path)
    (folder / "kernel/packed.ko.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    words = ("-C", "/dev/null", "-d", str(tmp_path), "-S", VERSION)
    result = run("modprobe", *words, "packed")
    assert (result.status, result.out) == (1, b"")
    assert b"FATAL: Module packed cannot be read: not a kernel module (compressed with zstd" in (
        result.err
    )
    assert run("modprobe", *words, "-D", "base").status == 0


def test_modprobe_first_time_and_builtin(modprobe: Modprobe) -> None:
    status, _, errors = modprobe("--first-time", "built-in")
    assert status == 1
    assert "could not insert 'built_in': Module already in kernel" in errors
    assert modprobe("-r", "base")[0] == 0
    assert modprobe("-r", "--first-time", "base")[0] == 1


def test_modprobe_tells_of_a_bad_line_and_shows_the_rest(
    modprobe: Modprobe, tmp_path: Path
) -> None:
    status, lines, errors = modprobe("-c")
    assert status == 0
    assert "a.conf line 13: ignoring bad line starting with 'nonsense'" in errors
    for line in (
        "blacklist first_soft",
        "alias mynet mid_dle",
        "options mid_dle debug=1",
        'options mid_dle mode="a b"',
        "install last /bin/echo CMD $CMDLINE_OPTS",
        "softdep base post: first_soft",
    ):
        assert line in lines


def test_modprobe_command_that_fails(run, tmp_path: Path) -> None:
    tree(tmp_path)
    conf = tmp_path / "x.conf"
    conf.write_text("install base exit 3\n")
    argv = ("modprobe", "-C", str(conf), "-d", str(tmp_path), "-S", VERSION, "base")
    result = run(*argv)
    assert result.status == 1
    assert b"Error running install command 'exit 3' for module base: status 3" in result.err


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        ("insmod", 1, b"insmod: missing operand"),
        (
            "insmod /nosuch/x.ko",
            1,
            b"insmod: ERROR: could not load module /nosuch/x.ko: No such file",
        ),
        ("rmmod", 1, b"rmmod: missing operand"),
        ("rmmod nosuch_module", 1, b"rmmod: ERROR: Module nosuch_module is not currently loaded\n"),
        ("modprobe", 1, b"modprobe: missing operand"),
        ("modprobe -C /nosuch/conf x", 1, b"modprobe: /nosuch/conf: No such file or directory\n"),
        ("lsmod extra", 1, b"lsmod: extra operand"),
    ],
)
def test_errors(run, argv: str, status: int, words: bytes) -> None:
    result = run(*argv.split())
    assert (result.status, result.out) == (status, b"")
    assert result.err.startswith(words)


def test_lsmod_agrees_with_the_kernel(run) -> None:
    result = run("lsmod")
    source = Path("/proc/modules")
    if source.exists():
        lines = result.out.decode().splitlines()
        assert lines[0] == "Module                  Size  Used by"
        assert [line.split()[0] for line in lines[1:]]  # names only: modules come and go
    else:
        assert result.status == 1
        assert b"could not get list of modules" in result.err
