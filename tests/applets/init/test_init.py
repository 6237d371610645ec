"""init from outside: services run, come back, are stopped in order, and are heard.

Breaks when the applets init, service, logs or poweroff no longer work together.  Everything here is
unprivileged; the last tests, as root, make init process 1 of a namespace of its own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from applets.init import devices

LOOP = "while :; do sleep 0.05; done"


class Init:
    """An init of its own, in a directory of its own."""

    def __init__(self, argv: list[str], env: dict[str, str], folder: Path) -> None:
        self.argv = argv
        self.folder = folder
        self.control = folder / "control.sock"
        self.env = {**env, "SNAKEROOT_CONTROL": str(self.control)}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, services: dict[str, Any] | bytes | None, *before: str) -> None:
        """Run init with these services (None: there is no file yet); `before`: words to run it by."""
        file = self.folder / "services.json"
        if services is not None:
            file.write_bytes(
                services
                if isinstance(services, bytes)
                else json.dumps({"services": services}).encode()
            )
        self.process = subprocess.Popen(
            [*before, *self.argv, "init", "--config", str(file)],
            env=self.env,
            stderr=(self.folder / "console").open("wb"),
            stdin=subprocess.DEVNULL,
        )
        self.until(self.answers, "the control socket")

    def answers(self) -> bool:
        """Whether init listens."""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.control)) == 0

    def until(self, condition: Callable[[], object], what: str, seconds: float = 20) -> Any:
        """Poll a condition until it holds; its value."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what} did not come; console: {self.console()}"
            time.sleep(0.02)
        return value

    def request(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """One request over the control socket, without our own client."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(self.control))
            client.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
            with client.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
                return answer

    def service(self, name: str) -> dict[str, Any]:
        return self.request("status", name=name)

    def until_state(self, name: str, state: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            service = self.service(name)
            return service if service["state"] == state else None

        found: dict[str, Any] = self.until(there, f"state {state} of {name}")
        return found

    def call(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run an applet that talks to this init."""
        return subprocess.run(
            [*self.argv, *words], env=self.env, capture_output=True, timeout=30, check=False
        )

    def logged(self, *services: str) -> list[str]:
        out = self.call("logs", "--json", *services).stdout
        return [json.loads(line)["text"] for line in out.splitlines()]

    def console(self) -> str:
        return (self.folder / "console").read_text(errors="replace")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tell init to end by a signal; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def init(toolbox_argv: list[str], toolbox_env: dict[str, str]) -> Iterator[Init]:
    # Not tmp_path: a socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="init") as folder:
        made = Init(toolbox_argv, toolbox_env, Path(folder))
        yield made
        made.kill()


def test_a_killed_service_comes_back(init: Init) -> None:
    init.start(
        {
            "one": {"command": ["sh", "-c", f"echo first; {LOOP}"]},
            "two": {"command": ["sh", "-c", f"echo second; {LOOP}"], "wait_for": ["one"]},
            "three": {"command": ["sleep", "1000"]},
        }
    )
    for name in ("one", "two", "three"):
        init.until_state(name, "running")
    first = init.service("one")
    os.kill(first["pid"], signal.SIGKILL)

    def back() -> bool:
        service = init.service("one")
        return service["state"] == "running" and service["pid"] != first["pid"]

    init.until(back, "the service")
    assert init.service("one")["restarts"] == 1
    assert init.service("one")["exit"] == "signal 9"
    init.until(lambda: init.logged("one") == ["first", "first"], "its line")
    assert any("one ended: signal 9" in line for line in init.logged("init"))
    table = init.call("service").stdout.decode().splitlines()
    assert [row.split()[:2] for row in table[1:]] == [
        ["one", "running"],
        ["two", "running"],
        ["three", "running"],
    ]


def test_start_stop_restart(init: Init) -> None:
    init.start({"a": {"command": ["sleep", "1000"]}, "b": {"command": ["sleep", "1000"]}})
    before = init.until_state("a", "running")
    assert init.call("service", "stop", "a").returncode == 0
    assert init.service("a")["state"] == "stopped"
    assert init.call("service", "status", "a").returncode == 3
    assert init.call("service", "start", "a").returncode == 0
    assert init.call("service", "restart", "a", "b").returncode == 0
    after = init.until_state("a", "running")
    assert after["pid"] != before["pid"]
    assert init.call("service", "status", "a").returncode == 0
    wrong = init.call("service", "stop", "c")
    assert (wrong.returncode, wrong.stderr) == (1, b"service: there is no service 'c'\n")


def test_a_service_that_cannot_start_says_why(init: Init) -> None:
    init.start(
        {
            "none": {"command": ["/nonexistent/program"]},
            "folder": {"command": ["true"], "directory": "/nonexistent"},
            "user": {"command": ["true"], "user": "no-such-user"},
        }
    )
    reasons = {
        "none": "exec: /nonexistent/program: No such file or directory",
        "folder": "directory: /nonexistent: No such file or directory",
        "user": "user: there is no user 'no-such-user'",
    }
    for name, reason in reasons.items():
        init.until(lambda n=name, r=reason: init.service(n)["status"] == r, f"{name}: {reason}")
    failed = init.call("service", "start", "none")
    assert failed.returncode == 1
    assert reasons["none"].encode() in failed.stderr


def test_exec_runs_a_program_as_a_service_runs(init: Init) -> None:
    init.start(
        {
            "a": {
                "command": ["sleep", "1000"],
                "environment": {"GREETING": "it's $HOME", "PATH": "/usr/bin:/bin"},
                "directory": "/usr",
                "limits": {"nofile": [99, 100]},
            },
            "broken": {"command": []},
        }
    )
    init.until_state("a", "running")
    script = 'echo "$GREETING"; pwd; ulimit -n; echo "$1"; read x; echo "$x"; exit 7'
    done = subprocess.run(
        [*init.argv, "service", "exec", "a", "sh", "-c", script, "-", "-x --"],
        env={**init.env, "SECRET": "s"},
        input=b"typed\n",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.decode().splitlines() == ["it's $HOME", "/usr", "99", "-x --", "typed"]
    assert done.returncode == 7
    env = init.call("service", "exec", "--", "a", "--", "env").stdout
    assert b"GREETING=it's $HOME\n" in env and b"SECRET" not in env
    for words, status, said in (
        (["a"], 1, "missing program after 'exec a'"),
        ([], 1, "missing name of a service after 'exec'"),
        (["b", "true"], 1, "there is no service 'b'"),
        (["broken", "true"], 1, "broken: "),
        (["a", "/no/such"], 127, "/no/such: No such file or directory"),
        (["a", "/"], 126, "/: Permission denied"),
    ):
        done = init.call("service", "exec", *words)
        assert (done.returncode, done.stdout) == (status, b"")
        assert done.stderr.decode().startswith(f"service: {said}"), done.stderr


def test_readiness_and_status_by_notification_open_the_way_for_others(init: Init) -> None:
    # The message comes from a child of the service, as systemd-notify's does.
    say = (
        "import os, socket, sys, time\n"
        "def say(text):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "        s.sendto(text, os.environ['NOTIFY_SOCKET'])\n"
        "        time.sleep(0.3)\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "say(b'STATUS=half-way')\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.02)\n"
        "say(b'READY=1\\nSTATUS=open')\n"
        "time.sleep(1000)\n"
    )
    gate = init.folder / "gate"
    init.start(
        {
            "net": {
                "command": [sys.executable, "-c", say, str(gate)],
                "ready": "notify",
                "provides": ["network"],
            },
            "web": {"command": ["sleep", "1000"], "wait_for": ["network"]},
        }
    )
    init.until(lambda: init.service("net")["status"] == "half-way", "the status")
    assert init.service("net")["state"] == "starting"
    assert init.service("web")["state"] == "waiting"
    assert init.service("web")["status"] == "waits for network"
    gate.touch()
    init.until_state("web", "running")
    assert (init.service("net")["status"], init.service("net")["ready"]) == ("open", True)


def test_an_idle_one_lets_the_others_start_first(init: Init) -> None:
    """It starts when they have, however long that may take it, or when its time is over."""
    gate = init.folder / "gate"
    init.start(
        {
            "patient": {"command": ["sleep", "1000"], "idle": 1000},
            "hasty": {"command": ["sleep", "1000"], "idle": 0.01},
            "slow": {
                "command": ["sh", "-c", f"until test -e {gate}; do sleep 0.1; done"],
                "ready": "exit",
            },
        }
    )
    init.until_state("hasty", "running")
    assert init.service("patient")["state"] == "waiting"
    gate.touch()
    init.until_state("patient", "running")


def test_foreign_notifications_change_nothing(init: Init) -> None:
    init.start({"a": {"command": ["sleep", "1000"], "ready": "notify"}})
    init.until(lambda: init.service("a")["pid"], "its process")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for data in (b"READY=1", b"", b"\xff\0=", b"READY", b"x" * 10000):
            try:
                sock.sendto(data, str(init.folder / "control.notify"))
            except OSError:
                continue
    assert init.service("a")["state"] == "starting"


def test_one_that_ends_well_opens_the_way_for_others(init: Init) -> None:
    gate = init.folder / "gate"
    wait = f"while ! [ -e {gate} ]; do sleep 0.02; done"
    init.start(
        {
            "prepare": {"command": ["sh", "-c", wait], "ready": "exit", "restart": "on-failure"},
            "after": {"command": ["sleep", "1000"], "wait_for": ["prepare"]},
        }
    )
    init.until(lambda: init.service("prepare")["pid"], "its process")
    assert init.service("after")["state"] == "waiting"
    gate.touch()
    init.until_state("after", "running")
    assert init.service("prepare")["state"] == "stopped"


def test_a_connection_starts_a_service_and_finds_it_again_after_its_end(init: Init) -> None:
    answer = (
        "import os, socket\n"
        "s = socket.socket(fileno=3)\n"
        "c, _ = s.accept()\n"
        "fds = os.environ['LISTEN_FDS'], os.environ['LISTEN_PID'] == str(os.getpid())\n"
        "c.sendall(f'{os.getpid()} {fds}'.encode())\n"
    )
    path = init.folder / "act.sock"
    init.start({"act": {"command": [sys.executable, "-c", answer], "listen": [str(path)]}})
    init.until_state("act", "listening")
    said = []
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(path))
            said.append(client.recv(100).decode().partition(" "))
    assert said[0][0] != said[1][0]
    assert said[0][2] == said[1][2] == "('1', True)"


def test_logs_follow_and_resume(init: Init) -> None:
    gate = init.folder / "gate"
    body = f"echo before; while ! [ -e {gate} ]; do sleep 0.02; done; echo after; sleep 1000"
    init.start({"a": {"command": ["sh", "-c", body]}, "b": {"command": ["echo", "other"]}})
    init.until(lambda: init.logged("a") == ["before"], "the first line")
    follower = subprocess.Popen(
        [*init.argv, "logs", "-f", "--json", "a"], env=init.env, stdout=subprocess.PIPE
    )
    assert follower.stdout is not None
    try:
        first = json.loads(follower.stdout.readline())
        assert (first["text"], first["service"]) == ("before", "a")
        assert abs(first["time"] - time.time()) < 60
        gate.touch()
        second = json.loads(follower.stdout.readline())
        assert second["text"] == "after"
    finally:
        follower.kill()
        follower.wait()
    resumed = init.call("logs", "--since", str(first["seq"]), "--json", "a").stdout.splitlines()
    assert [json.loads(line)["text"] for line in resumed] == ["after"]
    assert init.call("logs", "-n", "1", "a").stdout.rstrip().endswith(b" a: after")


def test_lines_that_are_long_binary_or_unfinished_are_kept_apart(init: Init) -> None:
    body = (
        "import os\n"
        "os.write(1, b'x' * (1 << 20) + b'\\n')\n"
        "os.write(2, b'\\xff\\x1b[31m\\x00\\n')\n"
        "os.write(1, b'no end')\n"
    )
    init.start({"a": {"command": [sys.executable, "-c", body], "restart": "never"}})
    init.until_state("a", "stopped")
    lines = init.logged("a")
    assert lines[-2:] == ["\\xff\x1b[31m\x00", "no end"]
    assert {len(line) for line in lines[:-2]} == {8192}
    # A terminal is not commanded by what a service says.
    assert b"\x1b" not in init.call("logs", "a").stdout


def test_a_flood_of_one_service_delays_no_other(init: Init) -> None:
    init.start(
        {
            "loud": {"command": ["yes", "noise"]},
            "quiet": {"command": ["sh", "-c", "echo hello; exec sleep 1000"]},
        }
    )
    init.until(lambda: init.logged("quiet") == ["hello"], "the quiet one's line")
    start = time.monotonic()
    assert init.call("service", "restart", "quiet").returncode == 0
    assert time.monotonic() - start < 10
    assert init.call("service", "stop", "loud").returncode == 0


def test_services_stop_in_reverse_order_and_stubborn_ones_are_killed(init: Init) -> None:
    trap = "trap 'echo {0} >> {1}; exit 0' TERM; echo up; " + LOOP
    order = init.folder / "order"

    def entry(name: str, *wait_for: str) -> dict[str, Any]:
        command = ["sh", "-c", trap.format(name, order)]
        return {"command": command, "wait_for": list(wait_for)}

    init.start(
        {
            "net": {**entry("net", "driver"), "provides": ["network"]},
            "driver": entry("driver"),
            "base": entry("base"),
            "middle": entry("middle", "base"),
            "top": entry("top", "middle"),
            "stubborn": {
                "command": ["sh", "-c", f"trap '' TERM; echo up; {LOOP}"],
                "stop_timeout": 0.3,
                "wait_for": ["base"],
            },
        }
    )
    for name in ("net", "driver", "base", "middle", "top", "stubborn"):
        init.until(lambda n=name: init.logged(n) == ["up"], f"{name} up")
    assert init.end() == 0
    assert order.read_text().split() == ["top", "middle", "base", "net", "driver"]
    assert "stubborn does not stop: killed" in init.console()
    assert not init.control.exists()


def test_what_a_service_leaves_behind_ends_with_it(init: Init) -> None:
    init.start({"a": {"command": ["sh", "-c", "sleep 1000 & echo $!; exec sleep 1000"]}})
    (child,) = init.until(lambda: init.logged("a"), "the child's number")
    assert init.call("service", "stop", "a").returncode == 0

    def gone() -> bool:
        try:
            return "State:\tZ" in Path(f"/proc/{child}/status").read_text()
        except OSError:
            return True

    init.until(gone, "the end of the child")


def test_a_crash_loop_costs_next_to_nothing(init: Init) -> None:
    init.start({f"bad{i}": {"command": ["false"]} for i in range(5)})
    init.until(lambda: all(init.service(f"bad{i}")["restarts"] >= 4 for i in range(5)), "restarts")
    assert init.process is not None

    def used() -> float:
        fields = Path(f"/proc/{init.process.pid}/stat").read_text().rpartition(")")[2].split()  # type: ignore[union-attr]
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    before, start = used(), time.monotonic()
    init.until(lambda: time.monotonic() - start > 4, "four seconds")
    # The polling of this test is idle; five services that fail at once are within one per cent each.
    assert (used() - before) / (time.monotonic() - start) < 0.05


@pytest.mark.parametrize(
    "services", [b"", b"{", b'{"services": 7}', b'{"services": {"a": {"command": 1}}, "x": 2}']
)
def test_a_bad_services_file_leaves_a_control_socket(init: Init, services: bytes) -> None:
    init.start(services)
    assert init.request("list")["ok"] is True
    lines = init.logged("init")
    assert lines
    assert all(str(init.folder / "services.json") in line for line in lines)
    assert init.end() == 0


def test_a_missing_services_file_leaves_a_control_socket(init: Init) -> None:
    init.start(None)
    assert init.request("list") == {"ok": True, "services": []}
    assert "services.json: No such file or directory" in init.console()


def test_a_fifo_that_nobody_writes_does_not_make_it_wait(init: Init) -> None:
    os.mkfifo(init.folder / "services.json")
    init.start(None)
    assert init.request("list") == {"ok": True, "services": []}


def test_hostile_clients_cost_no_service(init: Init) -> None:
    init.start({"a": {"command": ["sleep", "1000"]}})
    pid = init.until_state("a", "running")["pid"]
    clients = []
    for data in (b"", b"\0" * 100, b"{" * 70000, b'{"verb":"logs","follow":true}\n', b"x" * 65536):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        client.connect(str(init.control))
        try:
            client.send(data)
        except BlockingIOError:
            pass
        clients.append(client)
    assert init.service("a")["pid"] == pid
    for client in clients:
        client.close()
    assert init.service("a")["pid"] == pid
    assert "internal error" not in init.console()


@pytest.mark.parametrize("verb", ["poweroff", "reboot", "halt"])
def test_without_a_machine_poweroff_ends_init(init: Init, verb: str) -> None:
    init.start({"a": {"command": ["sleep", "1000"]}})
    init.until_state("a", "running")
    assert init.call(verb).returncode == 0
    assert init.process is not None
    assert init.process.wait(20) == 0
    assert f"{verb}: stopping the services" in init.console()
    none = init.call(verb)
    assert none.returncode == 1
    assert none.stderr == f"{verb}: init cannot be reached: there is no {init.control}\n".encode()


def test_the_socket_of_a_living_init_is_not_taken_and_that_of_a_dead_one_is(init: Init) -> None:
    init.start({"a": {"command": ["sleep", "1000"]}})
    file = init.folder / "services.json"
    second = init.call("init", "--config", str(file))
    assert second.returncode == 1
    assert second.stderr.endswith(b"control.sock: an init serves this socket already\n")
    left = init.until_state("a", "running")["pid"]
    assert init.request("list")["ok"] is True
    assert init.process is not None
    init.process.kill()
    init.process.wait()
    os.kill(left, signal.SIGKILL)
    init.start({"b": {"command": ["sleep", "1000"]}})
    init.until(lambda: init.service("b")["state"] == "running", "the new init")


def test_only_its_owner_may_talk_to_init(init: Init) -> None:
    init.start(b"{}")
    assert init.control.stat().st_mode & 0o777 == 0o600


# -- as process 1 of a namespace ---------------------------------------------------------------

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child=KILL", "--")


def in_namespace_of(pid: int) -> list[str]:
    """The states of the processes in the process-id namespace of a process, one letter each."""
    wanted = os.readlink(f"/proc/{pid}/ns/pid")
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/ns/pid") == wanted:
                found.append(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0])
        except OSError:
            continue  # it ended meanwhile
    return found


@pytest.mark.lab
def test_as_process_1_it_reaps_orphans_and_leaves_nothing_at_the_end(init: Init) -> None:
    orphans = (
        "for i in 1 2 3 4 5; do (setsid sh -c 'sleep 0.1 & exit' &); done;"
        " (setsid sh -c \"trap '' TERM; sleep 1000 & wait\" &); exec sleep 1000"
    )
    init.start({"a": {"command": ["sh", "-c", orphans]}}, *UNSHARE)
    init.until_state("a", "running")
    assert init.process is not None
    (first,) = (
        Path(f"/proc/{init.process.pid}/task/{init.process.pid}/children").read_text().split()
    )

    def only_these_are_left() -> bool:
        """Init, the service, and the two of the stubborn session; a zombie that is not reaped yet is one more."""
        states = in_namespace_of(int(first))
        return len(states) == 4 and "Z" not in states

    init.until(only_these_are_left, "the end of the orphans")
    assert "mounts, modules and host name are left alone" in init.console()
    assert init.call("poweroff").returncode == 0
    assert init.process.wait(20) == 0


@pytest.mark.lab
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2])
def test_as_process_1_it_obeys_the_signals_and_no_other(init: Init, number: int) -> None:
    init.start({"a": {"command": ["sleep", "1000"]}}, *UNSHARE)
    init.until_state("a", "running")
    assert init.process is not None
    (first,) = (
        Path(f"/proc/{init.process.pid}/task/{init.process.pid}/children").read_text().split()
    )
    for other in (signal.SIGPIPE, signal.SIGHUP, signal.SIGALRM, signal.SIGTSTP, signal.SIGVTALRM):
        os.kill(int(first), other)
    assert init.service("a")["state"] == "running"
    os.kill(int(first), number)
    assert init.process.wait(20) == 0


STATUS = (
    "grep -E '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs):' /proc/self/status; ulimit -n"
)


@pytest.mark.lab
def test_a_service_has_the_rights_that_it_was_given_and_no_others(init: Init) -> None:
    common = {"command": ["sh", "-c", STATUS], "restart": "never"}
    init.start(
        {
            "plain": common,
            "user": {**common, "user": "nobody", "no_new_privs": True, "limits": {"nofile": 99}},
            "port": {**common, "user": 4711, "group": 4712, "capabilities": ["net_bind_service"]},
            "root": {**common, "capabilities": ["CAP_SYS_TIME"]},
            "none": {**common, "user": "nobody", "capabilities": []},
        }
    )
    said = {}
    for name in ("plain", "user", "port", "root", "none"):
        init.until_state(name, "stopped")
        lines = init.logged(name)
        # What is run as the service is no other, though the service does not run.
        done = init.call("service", "exec", name, "--", "sh", "-c", STATUS)
        assert done.stdout.decode().splitlines() == lines, done.stderr
        said[name] = {k: v.split() for k, _, v in (line.partition(":") for line in lines[:-1])}
        said[name]["nofile"] = lines[-1:]
    assert said["plain"]["NoNewPrivs"] == ["0"]
    assert said["user"]["Uid"] == ["65534"] * 4
    assert said["user"]["Groups"] == ["65534"]
    assert said["user"]["NoNewPrivs"] == ["1"]
    assert said["user"]["nofile"] == ["99"]
    assert int(said["user"]["CapEff"][0], 16) == 0
    assert (said["port"]["Uid"][0], said["port"]["Gid"][0]) == ("4711", "4712")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(said["port"][kind][0], 16) == 1 << 10
        assert int(said["none"][kind][0], 16) == 0
    assert int(said["root"]["CapEff"][0], 16) == int(said["root"]["CapBnd"][0], 16) == 1 << 25


def test_a_priority_is_set_as_far_as_init_may_set_it(init: Init) -> None:
    priority = ["sh", "-c", "cut -d ' ' -f 19 /proc/self/stat"]
    numbers = {"first": -5, "usual": 0, "last": 7}
    init.start(
        {
            name: {"command": priority, "nice": nice, "restart": "never"}
            for name, nice in numbers.items()
        }
    )
    ours = os.getpriority(os.PRIO_PROCESS, 0)  # our caller may have made us nice
    may = ["sh", "-c", f"exec nice -n {-5 - ours} cut -d ' ' -f 19 /proc/self/stat"]
    first = subprocess.run(may, capture_output=True, text=True, check=True).stdout.strip()
    assert first in ("-5", str(ours))
    for name, expected in (("first", first), ("usual", str(ours)), ("last", "7")):
        init.until_state(name, "stopped")
        assert init.logged(name) == [expected]


@pytest.mark.lab
def test_a_state_directory_is_made_for_its_user_alone(init: Init) -> None:
    init.folder.chmod(0o755)
    state = init.folder / "perm" / "home" / "web"
    init.start(
        {
            "web": {
                "command": ["sh", "-c", f"touch {state}/x && echo kept"],
                "user": "nobody",
                "restart": "never",
                "state_directory": str(state),
            }
        }
    )
    init.until_state("web", "stopped")
    assert init.logged("web") == ["kept"]
    assert (state.stat().st_uid, state.stat().st_mode & 0o777) == (65534, 0o700)


@pytest.mark.lab
def test_a_state_directory_of_a_former_user_is_given_to_its_service(init: Init) -> None:
    init.folder.chmod(0o755)
    state = init.folder / "web"
    state.mkdir(0o700)
    (state / "secret").write_text("kept\n")
    (state / "secret").chmod(0o600)
    for path in (state, state / "secret"):
        os.chown(path, 1000, 1000)
    init.start(
        {
            "web": {
                "command": ["cat", f"{state}/secret"],
                "user": "nobody",
                "restart": "never",
                "state_directory": str(state),
            }
        }
    )
    init.until_state("web", "stopped")
    told = f"init: {state}: was user 1000's; it and 1 files in it now are user 65534's"
    assert init.logged("web") == [told, "kept"]


@pytest.mark.lab
def test_a_device_is_its_services_users_besides_its_owner_s(init: Init) -> None:
    device = init.folder / "device"
    init.folder.chmod(0o755)
    os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    for uid in (1234, 4321):
        devices.give(str(device), uid)
    assert stat.S_IMODE(device.stat().st_mode) == 0o660  # of which the group's is the mask now
    for uid, gid, may in ((1234, 99, True), (4321, 99, True), (99, 99, False), (99, 0, False)):
        done = subprocess.run(["cat", device], user=uid, group=gid, extra_groups=[], check=False)
        assert (done.returncode == 0) == may
    with pytest.raises(OSError, match="is no device"):
        devices.give(str(init.folder), 1234)
    with pytest.raises(FileNotFoundError):
        devices.give(f"{device}-none", 1234)


def test_the_environment_the_directory_and_the_descriptors_of_a_service(init: Init) -> None:
    body = (
        "import os\n"
        "print(os.getcwd(), os.environ['A'], os.environ['SNAKEROOT_CONTROL'], sep='|')\n"
        "print(os.getpid() == os.getsid(0), sorted(os.listdir('/proc/self/fd')))\n"
    )
    init.start(
        {
            "a": {
                "command": [sys.executable, "-c", body],
                "environment": {"A": "b c"},
                "directory": str(init.folder),
                "restart": "never",
            }
        }
    )
    init.until_state("a", "stopped")
    # The fourth descriptor is the directory that is being listed.
    assert init.logged("a") == [
        f"{init.folder}|b c|{init.control}",
        "True ['0', '1', '2', '3']",
    ]


def test_a_service_on_a_terminal_leads_its_session(init: Init) -> None:
    """As a login shell on the console: /dev/tty is its terminal, and what is typed arrives."""
    ours, theirs = os.openpty()
    body = "tty; read line </dev/tty; echo got $line >/dev/tty; exec sleep 1000"
    init.start({"console": {"command": ["sh", "-c", body], "tty": os.ttyname(theirs)}})
    init.until_state("console", "running")
    os.write(ours, b"hello\n")
    got = b""
    deadline = time.monotonic() + 20
    while b"got hello" not in got:
        assert time.monotonic() < deadline, got
        got += os.read(ours, 1000)
    assert os.ttyname(theirs).encode() in got
    os.close(ours)
    os.close(theirs)


@pytest.mark.lab
def test_a_service_is_killed_as_soon_or_as_late_as_it_says(init: Init) -> None:
    scores = {"spared": -900, "usual": 0, "first": 500}
    init.start(
        {
            name: {
                "command": ["cat", "/proc/self/oom_score_adj"],
                "restart": "never",
                "oom_score_adj": score,
            }
            for name, score in scores.items()
        }
    )
    usual = Path("/proc/self/oom_score_adj").read_text().strip()
    may = ["sh", "-c", "echo -900 >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj"]
    least = subprocess.run(may, capture_output=True, text=True, check=True).stdout.strip()
    assert least in ("-900", usual), "where init may not spare anybody, it starts all the same"
    for name, said in (("spared", least), ("usual", usual), ("first", "500")):
        init.until_state(name, "stopped")
        assert init.logged(name) == [said]
