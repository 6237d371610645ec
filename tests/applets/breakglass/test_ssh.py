"""breakglass: the whole program against OpenSSH's clients and hostile peers.

Breaks when a command's status, output or terminal is not as with any SSH server, when somebody without
an authorized key gets in, or when a peer can end the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pty
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon, wait_until, with_socket

SIZE = 50_000_000


class Server:
    """A running server and OpenSSH's clients for it."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder
        self.config = folder / f"config{daemon.port}"
        self.config.write_text(
            f"Host box\n HostName 127.0.0.1\n Port {daemon.port}\n User anybody\n"
            f" IdentityFile {folder}/id\n IdentitiesOnly yes\n IdentityAgent none\n"
            " StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR\n"
        )

    def argv(self, program: str, *words: str) -> list[str]:
        return [shutil.which(program) or program, "-F", str(self.config), *words]

    def ssh(
        self, *words: str, stdin: bytes = b"", timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.argv("ssh", *words), input=stdin, capture_output=True, timeout=timeout
        )

    def lives(self) -> None:
        """It serves, as soon as the places that broken connections held are free again."""
        deadline = time.monotonic() + 30
        while (done := self.ssh("box", "echo alive")).stdout != b"alive\n":
            assert time.monotonic() < deadline, done

    def run(self, program: str, *words: str, stdin: bytes = b"") -> None:
        done = subprocess.run(
            self.argv(program, *words), input=stdin, capture_output=True, timeout=120
        )
        assert done.returncode == 0, done

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.daemon.port), 30)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("id", "other"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(argv, check=True, timeout=60)
    (folder / "authorized").write_bytes((folder / "id.pub").read_bytes())
    return folder


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def start(keys: Path, toolbox_argv: list[str], toolbox_env: dict[str, str]) -> Iterator[Start]:
    servers: list[Server] = []

    def begin(*more: str, authorized: str = "authorized", sock: Any = None, **env: str) -> Server:
        argv = [*toolbox_argv, "breakglass", "-a", "127.0.0.1", "-p", "0"]
        argv += ["--keys", str(keys / authorized), "--host-key", str(keys / "host_key"), *more]
        env = {**toolbox_env, **env}
        daemon = with_socket(sock, argv, env) if sock else Daemon(argv, env)
        servers.append(Server(daemon, keys))
        return servers[-1]

    yield begin
    for server in servers:
        assert server.daemon.stop() == 0, server.daemon.lines


@pytest.fixture(scope="module")
def server(start: Start) -> Server:
    return start("--shell", "/bin/sh")


def test_commands(server: Server) -> None:
    done = server.ssh("box", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert server.ssh("box", "true").returncode == 0
    assert server.ssh("box", "kill -KILL $$").returncode == 255, "ended by a signal"
    assert (
        server.ssh("box", "cat; echo end", stdin=bytes(range(256))).stdout
        == bytes(range(256)) + b"end\n"
    )
    assert (
        server.ssh("box", "exec 0<&-; sleep 0.2; echo x", stdin=b"y" * 3_000_000).stdout == b"x\n"
    )
    assert server.ssh("box", "head -c 5", stdin=b"abcdefgh" * 1_000_000).stdout == b"abcde"


def test_environment(server: Server) -> None:
    done = server.ssh("-o", "SetEnv=LC_TEST=1 LD_PRELOAD=/x", "box", "env; pwd; umask; trap")
    words = done.stdout.decode().split("\n")
    assert "LC_TEST=1" in words and not any("LD_PRELOAD" in word for word in words)
    assert not any(word.startswith(("LISTEN_", "NOTIFY_")) for word in words)
    found = dict(word.partition("=")[::2] for word in words if "=" in word)
    assert found["SHELL"] == "/bin/sh" and found["SSH_CONNECTION"].startswith("127.0.0.1 ")
    server.daemon.wait_log("LD_PRELOAD' is not accepted")
    # A background process without our descriptors does not hold the session.
    assert server.ssh("box", "sleep 100 >/dev/null 2>&1 & echo $!", timeout=20).returncode == 0


def test_a_login_shell_without_a_terminal(server: Server) -> None:
    done = server.ssh("-T", "box", stdin=b"echo name $0\nexit 3\n")
    assert (done.returncode, done.stdout) == (3, b"name -sh\n")


def test_fifty_megabytes_each_way(server: Server) -> None:
    data = random.Random(2).randbytes(SIZE)
    digest = hashlib.sha256(data).hexdigest().encode()
    assert server.ssh("box", "sha256sum", stdin=data, timeout=120).stdout.split()[0] == digest
    (server.folder / "data").write_bytes(data)
    assert (
        hashlib.sha256(server.ssh("box", f"cat {server.folder}/data", timeout=120).stdout)
        .hexdigest()
        .encode()
        == digest
    )


def test_a_slow_reader_does_not_fill_the_memory(server: Server) -> None:
    argv = server.argv("ssh", "box", "cat /dev/zero")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as client:
        assert client.stdout is not None
        client.stdout.read(1_000_000)
        time.sleep(1.0)
        status = Path(f"/proc/{server.daemon.process.pid}/status").read_text()
        memory = int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
        client.kill()
    assert memory < 150_000, f"{memory} kB"


@pytest.mark.parametrize("old", [[], ["-O"]], ids=["sftp", "scp1"])
def test_scp_both_ways(server: Server, tmp_path: Path, old: list[str]) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    data = random.Random(3).randbytes(SIZE)
    (tmp_path / "tree" / "sub" / "big").write_bytes(data)
    (tmp_path / "tree" / "small file").write_text("x")
    (tmp_path / "tree" / "small file").chmod(0o600)
    server.run("scp", "-q", "-p", "-r", *old, str(tmp_path / "tree"), f"box:{tmp_path}/there")
    server.run("scp", "-q", "-p", "-r", *old, f"box:{tmp_path}/there", str(tmp_path / "back"))
    assert (tmp_path / "back" / "sub" / "big").read_bytes() == data
    assert (tmp_path / "back" / "small file").stat().st_mode & 0o777 == 0o600
    done = subprocess.run(
        server.argv("scp", "-q", *old, f"box:{tmp_path}/none", str(tmp_path)),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1 and b"No such file" in done.stderr


def test_old_scp_by_the_shells_rules(server: Server, tmp_path: Path) -> None:
    """What the other side's shell makes of the line: home, variables, patterns, quotes, several files."""
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there, there / "sub folder", here):
        folder.mkdir()
    for name in ("a.txt", "b.txt", "c.md", "sub folder/d", "a b", "$x", "*"):
        (there / name).write_text(f"content of {name}")
    home = next(
        word.partition("=")[2]
        for word in server.ssh("box", "env").stdout.decode().split("\n")
        if word.startswith("HOME=")
    )
    mark = f"snakeroot-{random.randrange(10**9)}"
    Path(home, mark).write_text("from home")

    def fetch(*words: str, fails: bool = False) -> list[str]:
        """The names of what comes, whose contents are right."""
        for name in os.listdir(here):
            shutil.rmtree(here / name) if (here / name).is_dir() else (here / name).unlink()
        done = subprocess.run(
            server.argv("scp", "-q", "-O", "-T", *words, str(here)), capture_output=True, timeout=60
        )
        assert (done.returncode != 0) is fails, done
        for name in os.listdir(here):
            if (here / name).is_file() and name != mark:
                assert (here / name).read_text() == f"content of {name}"
        return sorted(os.listdir(here))

    try:
        for line in (
            f"box:~/{mark}",
            f"box:$HOME/{mark}",
            f"box:{mark}",
            f'box:"$HOME"/{mark[:-1]}?',
        ):
            assert fetch(line) == [mark], line
        for line, expected in (
            (f"box:{there}/*.txt", ["a.txt", "b.txt"]),
            (f"box:{there}/[ab].txt", ["a.txt", "b.txt"]),
            (f"box:{there}/a.txt {there}/c.md", ["a.txt", "c.md"]),
            (f"box:{there}/a\\ b", ["a b"]),
            (f"box:'{there}/a b'", ["a b"]),
            (f"box:'{there}/$x'", ["$x"]),
            (f"box:'{there}/*'", ["*"]),
            (f"box:$(echo {there}/c.md)", ["c.md"]),
        ):
            assert fetch(line) == expected, line
        braces = server.ssh("box", "echo {a,b}.txt").stdout.decode().split()
        if braces == ["a.txt", "b.txt"]:  # what this shell does, scp does
            assert fetch(f"box:{there}/{{a,b}}.txt") == braces
        else:
            assert fetch(f"box:{there}/{{a,b}}.txt", fails=True) == []
        assert fetch("-r", f"box:{there}/sub\\ folder/") == ["sub folder"]
        assert fetch(f"box:{there}/none", f"box:{there}/a.txt", fails=True) == ["a.txt"]
        assert fetch(f"box:{there}/a.txt {there}/none {there}/c.md", fails=True) == [
            "a.txt",
            "c.md",
        ]
        server.run("scp", "-q", "-O", str(there / "a.txt"), f"box:~/{mark}")
        assert Path(home, mark).read_text() == "content of a.txt"
        server.run("scp", "-q", "-O", str(there / "a.txt"), f'box:"{there}/new name"')
        assert (there / "new name").read_text() == "content of a.txt"
    finally:
        Path(home, mark).unlink()


def test_old_scp_follows_links(server: Server, tmp_path: Path) -> None:
    """Links to files and folders are what they lead to; one that leads back, or nowhere, costs itself only."""
    tree = tmp_path / "tree"
    (tree / "real").mkdir(parents=True)
    (tree / "real" / "file").write_text("x")
    (tree / "folder").symlink_to("real")
    (tree / "name").symlink_to("real/file")
    server.run("scp", "-q", "-O", "-r", f"box:{tree}", str(tmp_path / "one"))
    for name in ("real/file", "folder/file", "name"):
        assert (tmp_path / "one" / name).read_text() == "x"
    assert not (tmp_path / "one" / "folder").is_symlink()
    (tree / "real" / "loop").symlink_to("..")
    (tree / "nowhere").symlink_to("none")
    done = subprocess.run(
        server.argv("scp", "-q", "-O", "-r", f"box:{tree}", str(tmp_path / "two")),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert b"nowhere: No such file or directory" in done.stderr
    assert b"loop: leads back to a folder above it" in done.stderr
    assert (tmp_path / "two" / "folder" / "file").read_text() == "x"


def test_old_scp_that_is_none(server: Server) -> None:
    for line, said in (
        ("scp -f", b"no file is named"),
        ("scp -t a b", b"ambiguous target"),
        ("scp -x -f a", b"unknown option -- x"),
        ("scp -ft a", b"either -f or -t is needed"),
        ("scp -f 'a", b""),
        ("scp -f `exit 3`", b"no file is named"),
    ):
        done = server.ssh("box", line)
        assert done.returncode not in (0, 255) and said in done.stderr, done


def test_sftp(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("content")
    commands = f"cd {tmp_path}\nmkdir d\nput {tmp_path}/a d/b\nchmod 600 d/b\nrename d/b d/c\nln -s c d/l\nget d/c {tmp_path}/e\nrm d/l\nls -l d\n"
    server.run("sftp", "-b", "-", "box", stdin=commands.encode())
    assert (tmp_path / "e").read_text() == "content"
    assert os.listdir(tmp_path / "d") == ["c"]


class Terminal:
    """A local terminal in which ssh runs, as a person would use it."""

    def __init__(self, argv: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            os.execv(argv[0], argv)
        self.resize(70, 20)
        self.seen = b""

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: bytes) -> None:
        self.seen = b""
        os.write(self.fd, text)

    def expect(self, pattern: bytes, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < until, f"{pattern!r} not in {self.seen!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    break
        assert re.search(pattern, self.seen), self.seen

    def wait(self) -> int:
        wait_until(lambda: os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), 20)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_terminal_with_job_control(server: Server) -> None:
    terminal = Terminal(server.argv("ssh", "box"))
    terminal.expect(rb"[$#] $")
    terminal.type(b"PS1=READY\\>; echo $TERM $0 $(stty size) $(tty)\n")
    terminal.expect(rb"vt100 -sh 20 70 /dev/pts/\d+.*READY>$".replace(b".*", b"[^$]*"))
    terminal.resize(90, 30)
    wait_until(lambda: _size(terminal) == b"30 90")
    terminal.type(b"sleep 1000\n")
    terminal.expect(rb"sleep 1000\r\n")
    wait_until(lambda: _in_front("sleep 1000"))
    terminal.type(b"\x1a")
    terminal.expect(rb"(Stopped|Suspended)[^>]*READY>$")
    terminal.type(b"fg\n")
    terminal.expect(rb"sleep 1000\r\n")
    wait_until(lambda: _in_front("sleep 1000"))  # its name is shown before it has the terminal
    terminal.type(b"\x03")
    terminal.expect(rb"READY>$")
    terminal.type(b"echo status $?\n")
    terminal.expect(rb"status 130\r\nREADY>$")
    terminal.type(b"cat\n")
    terminal.type(b"line\n\x04")
    terminal.expect(rb"line\r\nline\r\nREADY>$")
    terminal.type(b"exit 5\n")
    assert terminal.wait() == 5


def _size(terminal: Terminal) -> bytes:
    terminal.type(b"stty size\n")
    terminal.expect(rb"\d+ \d+\r\n[^>]*READY>$")
    return b" ".join(re.findall(rb"(\d+) (\d+)\r\n", terminal.seen)[0])


def _children(command: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"^{command}$"], capture_output=True).returncode == 0


def _in_front(command: str) -> bool:
    """Whether it runs, and is what a terminal's keys are for ("+")."""
    listed = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True).stdout
    rows = (line.split(maxsplit=1) for line in listed.splitlines())
    return any(row[1:] == [command] and "+" in row[0] and "T" not in row[0] for row in rows)


def test_a_terminal_for_one_command(server: Server) -> None:
    done = server.ssh("-tt", "box", "tty; seq 20000; exit 4")
    assert done.returncode == 4 and done.stdout.startswith(b"/dev/pts/")
    assert done.stdout.endswith(b"19999\r\n20000\r\n"), "the last of the output is there"
    done = server.ssh("-tt", "box", "sleep 300 & echo left", timeout=20)
    assert b"left" in done.stdout, "what runs on in the background does not hold the session"
    assert server.ssh("-tt", "box", "cat", stdin=b"typed\n").stdout.count(b"typed") == 2


@pytest.mark.parametrize("options", [[], ["-tt"]], ids=["pipes", "terminal"])
def test_a_client_that_dies_takes_its_command_along(server: Server, options: list[str]) -> None:
    mark = f"sleep 7{random.randrange(10**6)}"
    client = subprocess.Popen(
        server.argv("ssh", *options, "box", mark), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    wait_until(lambda: _children(mark), 20)
    client.send_signal(signal.SIGKILL)
    client.wait()
    wait_until(lambda: not _children(mark), 20)


def test_forwarding_reaches_near_places_only(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as echo:

        def serve() -> None:
            connection, _ = echo.accept()
            with connection:
                connection.sendall(b"echo: " + connection.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        port = echo.getsockname()[1]
        done = server.ssh("-W", f"localhost:{port}", "box", stdin=b"hello")
        assert done.stdout == b"echo: hello"
    for place in ("192.0.2.7:80", "[2001:db8::1]:80"):
        done = server.ssh("-W", place, "box")
        assert done.returncode == 255 and b"forwarding failed" in done.stderr, done
    server.daemon.wait_log("forwarding to '192.0.2.7' port 80 refused")


def test_a_forwarded_connection_ends_whoever_ends_first(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as near:
        argv = server.argv("ssh", "-W", f"127.0.0.1:{near.getsockname()[1]}", "box")
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            connection, _ = near.accept()
            connection.sendall(b"bye")
            connection.close()
            assert client.stdout is not None and client.stdout.read() == b"bye"
            assert client.stdin is not None
            client.stdin.close()
            assert client.wait(20) == 0
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            connection, _ = near.accept()
            assert client.stdin is not None and client.stdout is not None
            client.stdin.close()
            assert connection.recv(10) == b""
            connection.sendall(b"late")
            connection.close()
            assert client.stdout.read() == b"late" and client.wait(20) == 0


def test_what_is_not_offered(server: Server) -> None:
    done = server.ssh("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "box", "true")
    assert done.returncode == 255
    server.daemon.wait_log("remote forwarding refused")
    assert server.ssh("-s", "box", "netconf").returncode == 255
    server.daemon.wait_log("subsystem 'netconf' is not offered")
    assert (
        server.ssh("-A", "-X", "box", "env | grep -c -e SSH_AUTH_SOCK -e DISPLAY").stdout == b"0\n"
    )


def test_only_authorized_keys_get_in(server: Server) -> None:
    for options in (
        ["-i", str(server.folder / "other"), "-o", "IdentityFile=none"],
        ["-o", "PubkeyAuthentication=no"],
    ):
        argv = ["ssh", "-F", "none", *options, "-p", str(server.daemon.port), "-o", "BatchMode=yes"]
        argv += [
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "IdentitiesOnly=yes",
        ]
        done = subprocess.run([*argv, "root@127.0.0.1", "true"], capture_output=True, timeout=60)
        assert done.returncode == 255 and b"Permission denied (publickey)" in done.stderr, done
    server.daemon.wait_log("SHA256:.* for 'root' is not authorized")


def test_options_of_a_key(start: Start, keys: Path) -> None:
    key = (keys / "id.pub").read_text()
    (keys / "options").write_text(
        f'no-pty,command="echo forced; echo $SSH_X",environment="SSH_X=5" {key}'
    )
    server = start(authorized="options")
    assert server.ssh("box", "id").stdout == b"forced\n5\n"
    assert b"PTY allocation request failed" in server.ssh("-tt", "box").stderr
    (keys / "options").write_text(f"restrict {key}")
    assert server.ssh("box", "id").returncode == 255, (
        "keys are read anew, and this one is not understood"
    )
    server.daemon.wait_log("option 'restrict' is not supported; the key is refused")
    server.daemon.wait_log("nobody can log in")


def test_several_sessions_at_once_and_too_many(server: Server) -> None:
    control = server.folder / "control"
    options = ["-o", f"ControlPath={control}"]
    master = subprocess.Popen(
        server.argv("ssh", "-o", "ControlMaster=yes", *options, "-N", "box"),
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_until(control.exists, 20)
        held = [
            subprocess.Popen(
                server.argv("ssh", *options, "box", f"echo {n}; cat"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for n in range(10)
        ]
        for n, one in enumerate(held):
            assert one.stdout is not None and one.stdout.readline() == b"%d\n" % n
        refused = subprocess.run(
            server.argv("ssh", *options, "box", "true"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        assert b"refused" in refused.stderr
        server.daemon.wait_log("session refused: too many")
        for one in held:
            one.communicate()
            assert one.returncode == 0
        assert server.ssh(*options, "box", "echo again").stdout == b"again\n"
    finally:
        master.terminate()
        master.wait()


JUNK = [
    b"",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\0" * 100_000,
    b"SSH-2.0-",
    b"SSH-1.5-old\r\n",
    b"SSH-2.0-\xff\xfe\r\n" + b"\xff" * 1000,
    b"SSH-2.0-x\r\n" + b"\xff\xff\xff\xff" + b"x" * 1000,  # a packet of 4 GB
    b"SSH-2.0-x\r\n" + b"\0\0\0\0" * 10,
    b"SSH-2.0-x\r\n"
    + struct.pack(">IB", 12, 4)
    + b"\x32"
    + b"\0" * 10,  # authentication before its time
    b"SSH-2.0-x\r\n" + struct.pack(">IB", 44, 10) + b"\x14" + b"\xff" * 42,
    b"x" * 20_000,
    b"SSH-2.0-" + b"x" * 20_000 + b"\r\n",
]


@pytest.mark.parametrize("data", JUNK, ids=range(len(JUNK)))
def test_junk_is_one_line_and_one_connection(start: Start, data: bytes) -> None:
    server = start()
    begun = len(server.daemon.lines)
    with server.connect() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        try:
            while sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
    server.daemon.wait_log("127.0.0.1: ", after=begun)
    server.lives()
    lines = [
        line
        for line in server.daemon.lines[begun:]
        if "logged in" not in line and not line.endswith("closed")
    ]
    assert len(lines) == 1 and lines[0].isprintable() and len(lines[0]) < 300, lines


def test_random_bytes_at_every_stage(server: Server) -> None:
    """A real client's first packets, damaged at random; the server outlives them all."""
    with server.connect() as sock:
        banner = sock.recv(1000)
    assert banner.startswith(b"SSH-2.0-Snakeroot")
    rng = random.Random(4)
    head = b"SSH-2.0-OpenSSH_9.2\r\n"
    names = b"curve25519-sha256,ssh-ed25519,chacha20-poly1305@openssh.com,none"
    body = (
        b"\x14"
        + bytes(16)
        + b"".join(struct.pack(">I", len(names)) + names for _ in range(10))
        + bytes(5)
    )
    pad = 8 - (len(body) + 5) % 8 + 8
    packet = struct.pack(">IB", len(body) + pad + 1, pad) + body + bytes(pad)
    for _ in range(40):
        damaged = bytearray(packet + rng.randbytes(rng.randrange(200)))
        for _ in range(rng.randrange(8)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        with server.connect() as sock:
            sock.sendall(head + damaged[: rng.randrange(1, len(damaged))])
    server.lives()


def test_silent_strangers_lock_nobody_out(start: Start) -> None:
    """Neither those of the owner's address, nor as many as there may be, of many; the log stays readable."""
    server = start()
    assert server.ssh("box", "true").returncode == 0
    held: list[socket.socket] = []
    for number in range(100):
        address = (f"127.0.1.{number}", 0) if number >= 50 else ("127.0.0.1", 0)
        held.append(
            socket.create_connection(("127.0.0.1", server.daemon.port), 30, source_address=address)
        )
        assert held[-1].recv(100).startswith(b"SSH-2.0")
    assert held[0].recv(100) == b"", "the one that was silent longest gave way"
    for _ in range(3):
        assert server.ssh("box", "echo in").stdout == b"in\n"
    for sock in held:
        sock.close()
    server.daemon.wait_log("silent connections gave way to others")
    for _ in range(60):
        with server.connect() as sock:
            sock.sendall(b"nonsense\r\n")
            sock.recv(1000)
    assert server.daemon.stop() == 0
    lines = server.daemon.lines
    assert sum("logged in" in line for line in lines) == 4
    assert (
        sum("no login" in line or "gave way" in line or "nonsense" in line for line in lines) < 50
    )
    assert any(re.search(r"more like this \(\d+ from 127\.0\.0\.1", line) for line in lines)


@pytest.mark.parametrize("both", [False, True], ids=["IPv4", "both families"])
def test_options_by_sshds_rules(start: Start, keys: Path, both: bool) -> None:
    """In any case of letters, against the address as it is known elsewhere, each line by itself."""
    key = (keys / "id.pub").read_text()
    with contextlib.ExitStack() as stack:
        sock = None
        if both:  # as a box listens: IPv4 clients come as ::ffff:127.0.0.1
            sock = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
            stack.enter_context(sock)
        server = start(authorized="rules", sock=sock)
    forced = b"forced\n"
    for options, said in (
        ('FROM="10.9.9.9",COMMAND="echo forced",No-Port-Forwarding', None),
        ('From="127.0.0.0/8",COMMAND="echo forced"', forced),
        ('from="127.0.0.1"', b"free\n"),
        ('from="::ffff:127.0.0.1"', b"free\n"),
        ('from="!127.0.0.1,*"', None),
        ('from="!127.0.0.0/8,*"', None),
        ('from="!::ffff:127.0.0.1,*"', None),
        ('from="127.0.0.?"', b"free\n"),
        ('No-PTY,Command="echo forced"', forced),
    ):
        (keys / "rules").write_text(f"{options} {key}")
        done = server.ssh("box", "echo free")
        assert (done.stdout if done.returncode == 0 else None) == said, options
    other = (keys / "other.pub").read_text()
    for bad in (
        'permitopen="nas"',
        'environment="X"',
        "from",
        "command",
        "what",
        'from="1.2.3.4/0"',
    ):
        (keys / "rules").write_text(f"{bad} {other}\n{key}")
        assert server.ssh("box", "echo free").stdout == b"free\n", bad
    server.daemon.wait_log(rf"{keys}/rules: line 1: .*permitopen.*; the key is refused")


def test_the_command_that_was_asked_for(start: Start, keys: Path) -> None:
    key = (keys / "id.pub").read_text()
    (keys / "original").write_text(f'command="echo got $SSH_ORIGINAL_COMMAND." {key}')
    server = start(authorized="original")
    assert server.ssh("box", "ls -l 'a b'").stdout == b"got ls -l 'a b'.\n"
    assert server.ssh("-T", "box").stdout == b"got .\n"
    assert server.ssh("-s", "box", "sftp").stdout == b"got internal-sftp.\n"
    (keys / "original").write_text(key)
    assert server.ssh("box", "echo ${SSH_ORIGINAL_COMMAND-none}").stdout == b"none\n"


def test_a_key_with_a_command_does_not_reach_a_clouds_secrets(start: Start, keys: Path) -> None:
    key = (keys / "id.pub").read_text()
    (keys / "cloud").write_text(f'command="true" {key}')
    server = start(authorized="cloud")
    for place in ("169.254.169.254:80", "[::ffff:169.254.169.254]:80"):
        assert server.ssh("-W", place, "box").returncode == 255
        server.daemon.wait_log("port 80 refused: not for a key with a command of its own")
    assert server.ssh("-W", "100.64.1.1:80", "box").returncode == 255
    server.daemon.wait_log("forwarding to '100.64.1.1' port 80 refused")


@pytest.mark.parametrize("first", ["rsa", "ed25519"])
def test_dropbears_client(start: Start, keys: Path, first: str) -> None:
    """It sends its first packet of the key exchange on a guess, which is wrong (RFC 4253, 7)."""
    pair = keys / f"dropbear_{first}"
    made = subprocess.run(
        ["dropbearkey", "-t", first, "-f", str(pair)], capture_output=True, check=True, text=True
    )
    public = next(line for line in made.stdout.splitlines() if line.startswith("ssh-"))
    (keys / "dropbear").write_text(f"{public}\n")
    server = start(authorized="dropbear")
    argv = ["dbclient", "-y", "-y", "-i", str(pair), "-p", str(server.daemon.port)]
    for _ in range(2):
        done = subprocess.run(
            [*argv, "root@127.0.0.1", "cat; echo end; exit 7"],
            input=b"x" * 500_000,
            capture_output=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (7, b"x" * 500_000 + b"end\n"), done.stderr


def test_puttys_client(start: Start, keys: Path, tmp_path: Path) -> None:
    converted = tmp_path / "id.ppk"
    subprocess.run(["puttygen", str(keys / "id"), "-o", str(converted)], check=True, timeout=60)
    server = start()
    known = subprocess.run(
        ["ssh-keygen", "-lf", str(keys / "host_key")], capture_output=True, check=True, text=True
    ).stdout.split()[1]
    argv = ["plink", "-batch", "-ssh", "-i", str(converted), "-hostkey", known]
    argv += ["-P", str(server.daemon.port), "root@127.0.0.1", "cat; exit 7"]
    done = subprocess.run(
        argv,
        input=b"y" * 500_000,
        capture_output=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (7, b"y" * 500_000), done.stderr


def test_started_by_the_first_connection_and_gone_when_idle(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = start("--idle", "0.7", sock=sock)
        client = subprocess.Popen(
            server.argv("ssh", "box", "sleep 2; echo $LISTEN_FDS."),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert client.communicate(timeout=30)[0] == b".\n", "a session keeps it from ending"
        assert server.daemon.wait_end() == 0


def test_stop_ends_sessions_and_programs(start: Start) -> None:
    server = start()
    mark = f"sleep 8{random.randrange(10**6)}"
    client = subprocess.Popen(
        server.argv("ssh", "box", mark), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    wait_until(lambda: _children(mark), 20)
    assert server.daemon.stop() == 0
    assert client.wait(20) == 255
    wait_until(lambda: not _children(mark))


def test_nothing_is_run_to_find_libraries(start: Start, tmp_path: Path) -> None:
    """asyncssh asks for shared libraries, for which ctypes would run compilers and ldconfig."""
    for name in ("gcc", "cc", "ld", "ldconfig", "objdump"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{name}\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    server = start(PATH=f"{tmp_path}:/usr/bin:/bin")
    assert server.ssh("box", "true").returncode == 0
    assert [name for name in os.listdir(tmp_path) if name.startswith("ran-")] == []


def test_command_line_and_bad_keys(run: Any, tmp_path: Path) -> None:
    key = tmp_path / "host_key"
    common = ["breakglass", "-a", "127.0.0.1", "-p", "0", "--host-key", str(key)]
    for argv, words in (
        (["breakglass", "-p", "x"], "invalid"),
        (["breakglass", "-a", "box"], "not a numeric address"),
        (["breakglass", "--shell", "sh"], "absolute path"),
        (["breakglass", "extra"], "extra operand"),
    ):
        done = run(*argv)
        assert done.status == 1 and words.encode() in done.err, done
    key.write_text("nonsense\n")
    key.chmod(0o644)
    assert b"accessible by others" in run(*common).err
    key.chmod(0o600)
    done = run(*common)
    assert done.status == 1 and done.err.startswith(f"breakglass: {key}: ".encode()), done
    key.write_bytes(b"")
    assert b"host key is empty" in run(*common).err
