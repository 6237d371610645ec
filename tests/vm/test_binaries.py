"""Dynamic programs of other languages in a booted box: one's own with three libraries, and the distribution's."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from snakeroot import binaries, check, config

from tests.vm.conftest import BOOT, Box, quoted

#: Answers every connection with what its libraries make of one another, argv[0] and /proc/self/exe.
SERVER = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

int one(void);

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8001)};
    int on = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&here, sizeof here) || listen(listening, 5))
        return 1;
    for (;;) {
        char exe[200] = "", text[600];
        int fd = accept(listening, 0, 0);
        if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0)
            return 2;
        int size = snprintf(text, sizeof text, "%d %s %s\n", one(), argv[0], exe);
        if (write(fd, text, size) != size || close(fd))
            return 3;
    }
}
"""

SERVICES = """
[services.own]
binary = "./own/bin/server"
[services.relay]
binary = "/usr/bin/socat"
packages = ["socat"]
arguments = ["TCP-LISTEN:8002,fork,reuseaddr", "EXEC:/bin/id -un"]
[services.tunnel]
binary = "/usr/bin/socat"
packages = ["socat"]
arguments = ["TUN:10.9.8.7/24,up", "PIPE"]
capabilities = ["net_admin"]
devices = ["/dev/net/tun"]
modules = ["tun"]
"""


def _compile(target: Path, code: str, *words: str | Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.with_name(f"{target.name}.c")
    source.write_text(code)
    subprocess.run(["gcc", "-o", target, source, *words], check=True)
    return target


def _add(folder: Path) -> None:
    lib = folder / "own" / "lib"
    for name, code, needed in (
        ("three", "int three(void) { return 3; }\n", ""),
        ("two", "int three(void); int two(void) { return 2 * three(); }\n", "three"),
        ("one", "int two(void); int one(void) { return two() + 1; }\n", "two"),
    ):
        words = [str(lib / f"lib{needed}.so.1")] if needed else []
        soname = f"-Wl,-soname,lib{name}.so.1,-rpath,$ORIGIN"
        _compile(lib / f"lib{name}.so.1", code, "-shared", "-fPIC", soname, *words)
    rpath = "-Wl,-rpath,$ORIGIN/../lib,--allow-shlib-undefined"
    _compile(folder / "own" / "bin" / "server", SERVER, lib / "libone.so.1", rpath)
    path = folder / "snakeroot.toml"
    path.write_text(path.read_text().replace("\n# [files]", f"{SERVICES}\n# [files]"))


@pytest.fixture(scope="module")
def box(make_box: Callable[..., AbstractContextManager[Box]]) -> Iterator[Box]:
    with make_box(_add) as one:
        yield one.ready()


def answer(box: Box, port: int) -> str:
    """What a service says to who connects; it may still be starting."""
    code = (
        "import socket; c = socket.create_connection(('127.0.0.1', %d), 20);"
        " print(c.makefile().read(), end='')"
    )
    command = quoted("python", "-c", code % port)
    return str(box.wait(f"an answer from {port}", lambda: box.ssh(command).out, 4 * BOOT))


def test_a_program_with_three_libraries_of_its_own(box: Box) -> None:
    program = "/lib/snakeroot/own/own"
    assert answer(box, 8001) == f"7 {program} {program}\n"
    assert box.ssh("ls /lib/snakeroot/own/.lib").out.split() == [
        *("libone.so.1", "libthree.so.1", "libtwo.so.1"),
    ]


def test_a_program_of_the_distribution(box: Box) -> None:
    assert answer(box, 8002) == "relay\n"
    instance = config.load(box.instance.path)
    made = binaries.every(instance, lambda path: check.is_there(instance, path))
    assert "libssl.so.3" in made["relay"].own
    assert made["relay"].program.is_relative_to(Path.home() / ".cache")


def test_libraries_are_their_service_s_alone(box: Box) -> None:
    done = box.ssh("service exec relay ls /lib/snakeroot/own/.lib")
    assert done.status != 0 and "ermission denied" in done.err


def test_a_capability_a_device_and_a_module(box: Box) -> None:
    def tunnel() -> str:
        return box.ssh("ip addr show tun0").out

    assert "10.9.8.7/24" in str(box.wait("a tunnel", tunnel, 4 * BOOT))
    assert "10.9.8.7" not in box.ssh("service exec relay cat /dev/net/tun").out
