"""Programs of other languages: what they load is found as the loader finds it, and goes into the image."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from snakeroot import binaries, config, kernel, packages, programs, rootfs, services, shared
from snakeroot.host import BuildError

from tests.packaging.snakeroot.test_config import GOOD
from tests.packaging.snakeroot.test_executable import elf as header

LOADER = "ld-linux-x86-64.so.2"


@pytest.fixture(autouse=True)
def _c_library_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched: the C library is this machine's, and no package exists unless a test makes it."""

    def find(name: str) -> Path | None:
        known = name in shared.names() or name == "libmvec.so.1"
        paths = (Path("/", place, name) for place in (shared.FOLDER, "usr/lib", "lib64"))
        return next((path.resolve() for path in paths if path.exists()), None) if known else None

    def candidate(package: str) -> str:
        raise BuildError(f"{package}: the distribution has no such package")

    said = os.confstr("CS_GNU_LIBC_VERSION") or ""
    monkeypatch.setattr(shared, "version", lambda: tuple(map(int, said.split()[1].split("."))))
    monkeypatch.setattr(shared, "find", find)
    monkeypatch.setattr(binaries, "_of_c_library", find)
    monkeypatch.setattr(packages, "candidate", candidate)


def compile_c(target: Path, code: str, *words: str | Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.with_name(f"{target.name}.c")
    source.write_text(code)
    subprocess.run(["gcc", "-o", target, source, *words], check=True)
    source.unlink()
    return target


def library(target: Path, code: str, *words: str | Path) -> Path:
    return compile_c(target, code, "-shared", "-fPIC", f"-Wl,-soname,{target.name}", *words)


def chain(folder: Path, *links: str) -> Path:
    """A program that needs libone, which needs libtwo, which needs libthree, all in the folder `lib`.

    links: the linker's words for the program
    """
    lib = folder / "lib"
    three = library(lib / "libthree.so.3", "int three(void) { return 3; }\n")
    two = library(
        lib / "libtwo.so", "int three(void); int two(void) { return 2 * three(); }\n", three
    )
    one = library(lib / "libone.so.1", "int two(void); int one(void) { return two() + 1; }\n", two)
    code = (
        '#include <stdio.h>\nint one(void); int main(void) { printf("%d\\n", one()); return 0; }\n'
    )
    allowed = "-Wl,--allow-shlib-undefined"
    return compile_c(folder / "bin" / "program", code, one, allowed, *links)


def find(program: Path, wanted: Sequence[str] = ()) -> binaries.Binary:
    return binaries.closure(program, wanted, lambda path: False)


def runs(binary: binaries.Binary, folder: Path) -> str:
    """What the program says when it has the loader and the libraries that were found, as on a box."""
    box = folder / "box"
    (box / "lib").mkdir(parents=True)
    for name, path in {**binary.own, **{Path(n).name: p for n, p in binary.system.items()}}.items():
        shutil.copy(path, box / "lib" / name)
    shutil.copy(binary.program, box / "program")
    words = [box / "lib" / LOADER, "--inhibit-cache", "--library-path", box / "lib"]
    done = subprocess.run([*words, box / "program"], capture_output=True, text=True, check=True)
    return done.stdout


#: RPATH holds for libraries of libraries; RUNPATH for the file's own alone, so those must have one, too.
RPATHS = [
    ("-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib",),
    ("-Wl,--disable-new-dtags,-rpath,${ORIGIN}/../lib:/nowhere",),
    ("-Wl,--disable-new-dtags,-rpath,/nowhere:{lib}",),
]


@pytest.mark.parametrize("links", RPATHS)
def test_the_rpath_of_a_program_holds_for_all_that_it_loads(
    tmp_path: Path, links: tuple[str, ...]
) -> None:
    words = [word.replace("{lib}", str(tmp_path / "lib")) for word in links]
    found = find(chain(tmp_path, *words))
    assert list(found.own) == ["libone.so.1", "libtwo.so", "libthree.so.3"]
    assert set(found.system) == {f"lib64/{LOADER}", f"{shared.FOLDER}/libc.so.6"}
    assert runs(found, tmp_path) == "7\n"


def test_a_runpath_is_for_the_file_alone_that_has_it(tmp_path: Path) -> None:
    program = chain(tmp_path, "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib")
    with pytest.raises(
        BuildError, match=r"^'libone.so.1' needs libtwo.so, which is not here$"
    ) as e:
        find(program)
    assert "rpath" in e.value.hint and "packages" in e.value.hint


def test_each_file_has_a_runpath_of_its_own(tmp_path: Path) -> None:
    lib, deep = tmp_path / "lib", tmp_path / "lib" / "deep"
    new = "-Wl,--enable-new-dtags,-rpath,"
    two = library(deep / "libtwo.so", "int two(void) { return 2; }\n")
    one = library(
        lib / "libone.so",
        "int two(void); int one(void) { return two(); }\n",
        two,
        f"{new}$ORIGIN/deep",
    )
    program = compile_c(
        tmp_path / "program",
        '#include <stdio.h>\nint one(void); int main(void) { return printf("%d\\n", one()) < 0; }\n',
        *(one, f"{new}$ORIGIN/lib", "-Wl,--allow-shlib-undefined"),
    )
    found = find(program)
    assert found.own == {"libone.so": one, "libtwo.so": two}
    assert runs(found, tmp_path) == "2\n"


def test_what_the_loader_would_pass_by_is_passed_by(tmp_path: Path) -> None:
    """A library for another machine, and a file that is none, in a folder that comes first."""
    program = chain(tmp_path, "-Wl,--disable-new-dtags,-rpath,$ORIGIN/a:$ORIGIN/b:$ORIGIN/../lib")
    for name, data in (("a", header(machine=183, kind=3)), ("b", b"no library")):
        (tmp_path / "bin" / name).mkdir()
        (tmp_path / "bin" / name / "libone.so.1").write_bytes(data)
    assert find(program).own["libone.so.1"] == tmp_path / "lib" / "libone.so.1"


def test_libraries_of_this_machine_s_folders_and_links_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = chain(tmp_path)
    (tmp_path / "lib" / "libtwo.so").rename(tmp_path / "lib" / "libtwo.so.2.0")
    (tmp_path / "lib" / "libtwo.so").symlink_to("libtwo.so.2.0")
    monkeypatch.setattr(binaries, "STANDARD", (str(tmp_path / "lib"),))
    found = find(program)
    assert found.own["libtwo.so"].name == "libtwo.so.2.0"
    assert runs(found, tmp_path) == "7\n"


def test_libraries_of_packages_and_of_those_that_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = chain(tmp_path / "made")
    lib = tmp_path / "made" / "lib"
    for package, name in (
        ("one", "libone.so.1"),
        ("libtwo", "libtwo.so"),
        ("libthree3", "libthree.so.3"),
    ):
        place = tmp_path / package / "usr/lib/private"
        place.mkdir(parents=True)
        shutil.move(lib / name, place / f"{name}.0")
        (place / name).symlink_to(f"/usr/lib/private/{name}.0")
    asked: list[str] = []

    def unpacked(package: str) -> Path:
        asked.append(package)
        return tmp_path / package

    depends = {"one": ["libtwo", "virtual"], "libtwo": ["libthree3", "tar"], "libthree3": ["one"]}
    monkeypatch.setattr(packages, "unpacked", unpacked)
    monkeypatch.setattr(packages, "dependencies", lambda package: depends[package])
    monkeypatch.setattr(binaries, "_exists", lambda package: package in depends)
    found = find(program, ["one"])
    assert found.own["libtwo.so"] == tmp_path / "libtwo/usr/lib/private/libtwo.so.0"
    assert runs(found, tmp_path) == "7\n"
    assert "tar" not in asked  # which is no library of a library
    monkeypatch.setattr(packages, "dependencies", lambda package: [])
    monkeypatch.setattr(binaries, "_exists", lambda package: False)
    with pytest.raises(
        BuildError, match=r"'libone.so.1.0' needs libtwo.so, which is not here nor in one"
    ):
        find(program, ["one"])


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libssl.so.3", "libssl3"),
        ("libevent-2.1.so.7", "libevent-2.1-7"),
        ("libfoo2.so.0", "libfoo2-0"),
        ("libglib-2.0.so.0", "libglib-2.0-0t64"),
        ("libX11.so.6", "libx11-6"),
    ],
)
def test_the_cure_names_the_package(
    monkeypatch: pytest.MonkeyPatch, library: str, package: str
) -> None:
    monkeypatch.setattr(binaries, "_exists", lambda name: name == package)
    assert binaries._cure(library) == f'set packages = ["{package}"] for the service'
    monkeypatch.setattr(binaries, "_exists", lambda name: False)
    assert "packages = [...]" in binaries._cure(library)


def test_a_library_that_is_named_by_its_path(tmp_path: Path) -> None:
    lib = compile_c(tmp_path / "libodd.so", "int odd(void) { return 1; }\n", "-shared", "-fPIC")
    code = "int odd(void); int main(void) { return odd(); }\n"
    program = compile_c(tmp_path / "program", code, lib)
    with pytest.raises(BuildError, match=r"needs '/.*/libodd.so' by its path") as error:
        find(program)
    assert "-soname,libodd.so" in error.value.hint


def test_a_newer_c_library_than_the_distribution_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "version", lambda: (2, 2))
    program = chain(tmp_path, "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib")
    with pytest.raises(
        BuildError, match=r"needs the C library 2\.\d+, and this distribution has 2.2"
    ):
        find(program)


def test_loaders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "int main(void) { return 0; }\n"
    for name, cure in (("/lib/ld-musl-x86_64.so.1", '"musl"'), ("/opt/odd/ld.so", '"PACKAGE"')):
        program = compile_c(tmp_path / "program", code, f"-Wl,--dynamic-linker={name}")
        with pytest.raises(BuildError, match=f"its loader {name} is not here") as error:
            find(program)
        assert cure in error.value.hint
        # Whoever brings it by [files] brings all that goes with it.
        brought = binaries.closure(program, (), lambda path, name=name: path == name)
        assert (brought.system, brought.own) == ({}, {})


def test_a_static_program_and_a_script_need_nothing(tmp_path: Path) -> None:
    for how in ("-static", "-static-pie"):
        program = compile_c(tmp_path / "program", "int main(void) { return 0; }\n", how)
        assert find(program) == binaries.Binary(program)
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert binaries.closure(script, (), lambda path: path == "/bin/sh") == binaries.Binary(script)


def test_each_byte_of_a_dynamic_program_may_be_damaged(tmp_path: Path) -> None:
    """One line for the user, whatever the file holds, and never a traceback."""
    program = chain(tmp_path, "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib")
    good = program.read_bytes()
    for at in range(0x400):
        program.write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        try:
            find(program)
        except BuildError as error:
            assert "\n" not in str(error)
    for length in range(64, len(good), 257):
        program.write_bytes(good[:length])
        try:
            find(program)
        except BuildError as error:
            assert "\n" not in str(error)


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """An instance whose service `tool` is a program with three libraries of its own."""
    folder = tmp_path / "box"
    (folder / "hello").mkdir(parents=True)
    (folder / "snakeroot.toml").write_text(
        GOOD.replace('binary = "program"', 'binary = "bin/program"')
    )
    chain(folder, "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib")
    return folder


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "snakeroot.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_what_a_program_loads_is_in_the_image_and_its_own(
    instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(instance, "restart =", 'environment = { LD_LIBRARY_PATH = "/x", A = "b" }\nrestart =')
    loaded = config.load(instance)
    toolbox = tmp_path / "toolbox"
    toolbox.write_bytes(b"")
    hello = programs.Program(instance / "hello", "static", "", {}, [], 0, {})
    with monkeypatch.context() as patch:
        patch.setattr(kernel.Kernel, "modules", lambda self, wanted: {})
        patch.setattr(packages, "certificates", bytes)
        none = kernel.Kernel("6.1", tmp_path, ())
        tree = dict(rootfs.root(loaded, toolbox, none, {}, {"hello": hello}))
    folder = "lib/snakeroot/second"
    assert tree[f"{folder}/second"].data == (instance / "bin" / "program").read_bytes()
    for name in ("libone.so.1", "libtwo.so", "libthree.so.3"):
        assert tree[f"{folder}/.lib/{name}"].data == (instance / "lib" / name).read_bytes()
    assert stat.S_IMODE(tree[folder].mode) == 0o750
    # What all share lies where the loader is looked for, and where it looks.
    for name in (f"lib64/{LOADER}", f"{shared.FOLDER}/libc.so.6"):
        assert stat.S_IMODE(tree[name].mode) == 0o755
    assert tree["etc/nsswitch.conf"].data == shared.NSSWITCH.encode()
    written = json.loads(tree["etc/snakeroot/services.json"].data)["services"]["second"]
    assert written["command"] == ["/lib/snakeroot/second/second"]
    assert written["environment"]["LD_LIBRARY_PATH"] == "/lib/snakeroot/second/.lib:/x"


def test_a_missing_library_is_one_line(instance: Path) -> None:
    (instance / "lib" / "libthree.so.3").unlink()
    loaded = config.load(instance)
    with pytest.raises(
        BuildError, match=r"^services.second: 'libtwo.so' needs libthree.so.3, which is not here$"
    ):
        binaries.every(loaded, lambda path: False)


def test_a_program_of_a_package(
    instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "nebula"
    (package / "bin").mkdir(parents=True)
    (package / "etc/alternatives").mkdir(parents=True)
    (package / "bin" / "nebula").symlink_to("/etc/alternatives/nebula")
    shutil.copy(instance / "bin" / "program", package / "etc/alternatives/nebula")
    for path in (instance / "lib").iterdir():
        shutil.copy(path, package)
    monkeypatch.setattr(packages, "unpacked", lambda name: package)
    monkeypatch.setattr(packages, "dependencies", lambda name: [])
    edit(instance, '"bin/program"', '"/usr/bin/nebula"\npackages = ["nebula"]')
    found = binaries.every(config.load(instance), lambda path: False)["second"]
    assert found.program == package / "etc/alternatives/nebula"
    assert list(found.own) == ["libone.so.1", "libtwo.so", "libthree.so.3"]
    edit(instance, "/usr/bin/nebula", "/usr/bin/none")
    with pytest.raises(
        BuildError, match=r"^services.second: '/usr/bin/none': no such file here, nor"
    ):
        binaries.every(config.load(instance), lambda path: False)


def test_capabilities_and_modules_of_a_service(instance: Path) -> None:
    edit(
        instance,
        "restart =",
        'capabilities = ["net_admin"]\ndevices = ["/dev/net/tun"]\nmodules = ["tun"]\nports = [443]\nrestart =',
    )
    edit(instance, "ports = [8000]", 'modules = ["tun", "fuse"]')
    with (instance / "snakeroot.toml").open("a") as file:
        file.write('[kernel]\nmodules = ["e1000", "tun"]\n')
    loaded = config.load(instance)
    assert loaded.settings.modules == ["e1000", "tun", "fuse"]
    made = services.contents(loaded)["services"]
    assert made["second"]["capabilities"] == ["net_admin", "net_bind_service"]
    assert made["second"]["devices"] == ["/dev/net/tun"]
    assert made["hello"]["capabilities"] == [] and "devices" not in made["hello"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('capabilities = ["net_admn"]', "11: .*is no capability; did you mean 'net_admin'"),
        ('devices = ["/dev/../etc/shadow"]', "11: '/dev/../etc/shadow' is no path of a device"),
        ('packages = ["../x"]', "11: '../x' is no name of a package"),
        ('packages = ["-oDir=x"]', "11: '-oDir=x' is no name of a package"),
    ],
)
def test_bad_settings_are_lines(instance: Path, line: str, words: str) -> None:
    edit(instance, "restart =", f"{line}\nrestart =")
    with pytest.raises(BuildError, match=words):
        config.load(instance)


def test_packages_are_for_binaries(instance: Path) -> None:
    edit(instance, "ports = [8000]", 'packages = ["nebula"]')
    with pytest.raises(BuildError, match="'packages' is for 'binary'"):
        config.load(instance)


def test_a_program_without_execute_permission(instance: Path) -> None:
    (instance / "bin" / "program").chmod(0o644)
    with pytest.raises(
        BuildError, match=r":9: 'bin/program' has no execute .*: chmod \+x /.*/program"
    ):
        config.load(instance)
